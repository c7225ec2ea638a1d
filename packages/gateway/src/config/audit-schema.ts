/** `audit`: the record of every decision and call: where it is written, when its files are changed, how long they are kept. */

import * as z from 'zod';

import { bodiesSchema } from './redaction-schema.ts';
import { duration, filePath, period, size } from './schema-words.ts';
import { indexSchema, sinksSchema } from './sinks-schema.ts';

const off = z.literal('off');

const rotate = z
  .union([
    off,
    z.strictObject({
      size: z.union([off, size]).prefault('256MiB').describe('A file that is larger is followed by a new one, or off.'),
      every: z.union([off, period]).prefault('24h').describe('So is one whose first record is older, or off.'),
    }),
  ])
  .prefault({})
  .describe(
    'When a new file is begun. The one before is renamed after the number of its first record: audit.000000184301.jsonl. ' +
      'Or off: one file, for good.',
  );

const checkpoints = z
  .union([
    off,
    z.strictObject({
      records: z
        .int()
        .min(1)
        .max(1_000_000_000)
        .default(100_000)
        .describe('A checkpoint after so many records, beside those at each new file and at the end.'),
      every: duration.prefault('10m').describe('And after this time, where there are new records.'),
      key: filePath
        .optional()
        .describe(
          'The Ed25519 key that signs them, created with mode 0600; its public half stands beside it. Default: ' +
            'audit-signing-key.pem beside the key ring.',
        ),
    }),
  ])
  .prefault({})
  .describe(
    'Signed words about how far the record had come, in audit.checkpoints.jsonl beside it. Kept elsewhere, they show that ' +
      'nothing was cut off. Or off.',
  );

export const auditSchema = z
  .strictObject({
    file: filePath.default('./data/audit.jsonl').describe('Appended to, never rewritten.'),
    rotate,
    keep: z
      .union([off, period])
      .prefault('off')
      .describe(
        'Old files are deleted when their newest record is older than this, a checkpoint stands for their end, and the ' +
          'record says so first. Or off: everything is kept.',
      ),
    spool: filePath
      .optional()
      .describe(
        'A file on another disk. While the audit file cannot be written, the records of reads, which go on, wait there ' +
          'as well as in memory, and survive a kill.',
      ),
    checkpoints,
    bodies: bodiesSchema.optional(),
    resultDigests: z
      .boolean()
      .default(false)
      .describe('SHA-256 of every result, as the server wrote it: 0.6 us for a small one, 0.7 ms for a megabyte.'),
    index: indexSchema,
    sinks: sinksSchema,
  })
  .refine(({ keep, checkpoints: signed }) => keep === 'off' || signed !== 'off', {
    message: 'needs audit.checkpoints: without them, what is left could not be proved any more.',
    path: ['keep'],
  })
  .prefault({})
  .describe('The record of every decision and call, hash-chained.');
