/** The record that a configuration asks for: its files, its signed checkpoints, how long they are kept. */

import type { AuditFiles } from '../audit/append-file.ts';
import { createFileAuditLog, type FileAuditLog } from '../audit/file-audit-log.ts';
import type { Checkpoint } from '../audit/checkpoint.ts';
import { loadSigningKey } from '../audit/signing-key.ts';
import type { Segment } from '../audit/segments.ts';
import type { AuditConfig } from '../config/config.ts';
import { SALLYPORT } from '../protocol/identity.ts';
import type { Redactor } from '../model/redaction.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';

export type AuditParts = {
  readonly config: AuditConfig;
  readonly logger: Logger;
  readonly instruments: Instruments;
  readonly redactText: Redactor['text'];
  /** How the file is opened; a test's disk can be full or slow. */
  readonly open?: AuditFiles['open'] | undefined;
  /** Of every checkpoint, once it is on disk. */
  readonly onCheckpoint?: (checkpoint: Checkpoint) => void;
  /** Asked before an old file is deleted. */
  readonly mayDelete?: (segment: Segment) => boolean | Promise<boolean>;
};

/** @throws SigningKeyError, LockedError, UnreadableTailError, or the file system's error */
export async function openAudit(parts: AuditParts): Promise<FileAuditLog> {
  const { config, logger, instruments, redactText, open, onCheckpoint, mayDelete } = parts;
  const { file, rotate, keepMs, spoolFile, checkpoints } = config;
  const key = checkpoints && (await loadSigningKey(checkpoints.keyFile));
  return createFileAuditLog({
    path: file,
    logger,
    instruments,
    now: Date.now,
    version: SALLYPORT.version,
    redactText,
    ...(rotate !== undefined && { rotate }),
    ...(spoolFile !== undefined && { spool: spoolFile }),
    ...(key !== undefined &&
      checkpoints !== undefined && {
        checkpoints: { key, ...checkpoints, ...(onCheckpoint !== undefined && { onCheckpoint }) },
      }),
    ...(keepMs !== undefined && { retention: { keepMs, ...(mayDelete !== undefined && { mayDelete }) } }),
    ...(open !== undefined && { open }),
  });
}
