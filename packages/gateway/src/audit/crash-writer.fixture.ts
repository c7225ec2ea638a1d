/**
 * A process that writes records under load until it is killed. Prints an intent's number once the call may leave; with a
 * second argument also `r<id>@<when, in ms>` once a read was recorded, and rotates, makes checkpoints and deletes old files meanwhile.
 */

import { createFileAuditLog, type FileAuditLogOptions } from './file-audit-log.ts';
import { loadSigningKey } from './signing-key.ts';
import { alice, authorized, inbound, tool } from './testing.ts';

const CALLERS = 16;
const READERS = 4;
const [path = '', keyFile] = process.argv.slice(2);
const ignore = (): void => undefined;

async function busy(file: string): Promise<Partial<FileAuditLogOptions>> {
  const key = await loadSigningKey(file);
  return {
    rotate: { maxBytes: 500_000, maxAgeMs: Infinity },
    checkpoints: { key, everyRecords: 100, everyMs: 20 },
  };
}

const log = await createFileAuditLog({
  path,
  version: '1.2.3',
  now: Date.now,
  logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  instruments: { auditBacklog: ignore, auditFailed: ignore, auditFailing: ignore },
  ...(keyFile !== undefined && (await busy(keyFile))),
});

async function caller(name: number): Promise<never> {
  for (let call = 0; ; call++) {
    const id = `${name}-${call}`;
    const intent = await log.intend(authorized(id, false));
    const sequence = log.sequenceOf(intent);
    process.stdout.write(`${sequence}\n`);
    const entry = tool('write', false);
    const event = { request: inbound({ id }), principal: alice, entry, outcome: 'ok', durationMs: 1 } as const;
    log.append({ ...event, ...(sequence !== undefined && { intentSequence: sequence }) });
  }
}

let reads = 0;

async function reader(): Promise<never> {
  for (;;) {
    const id = `${process.pid}-${reads++}`;
    await log.intend(authorized(id, true));
    const entry = tool('read', true);
    log.append({ request: inbound({ id }), principal: alice, entry, outcome: 'ok', durationMs: 1 });
    process.stdout.write(`r${id}@${performance.now()}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

await Promise.all([
  ...Array.from({ length: CALLERS }, (_, name) => caller(name)),
  ...(keyFile === undefined ? [] : Array.from({ length: READERS }, () => reader())),
]);
