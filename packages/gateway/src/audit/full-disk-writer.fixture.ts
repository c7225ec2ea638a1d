/**
 * A process whose audit disk is full and which goes on reading until it is killed. Its arguments: the audit file, its spool,
 * and `real` where the disk is a real one that fills up by itself. Prints the id of each read once the spool has it.
 */

import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';

import { auditFiles } from './append-file.ts';
import { filesOn, goodDisk } from './disk.fixture.ts';
import { createFileAuditLog } from './file-audit-log.ts';
import { authorized, outcome } from './testing.ts';

const [path = '', spool = '', kind] = process.argv.slice(2);
const ignore = (): void => undefined;
const disk = goodDisk();

const log = await createFileAuditLog({
  path,
  spool,
  version: '1.2.3',
  now: Date.now,
  logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
  instruments: { auditBacklog: ignore, auditFailed: ignore, auditFailing: ignore },
  files: kind === 'real' ? auditFiles : filesOn(disk, (at) => at === path),
  retryMs: 20,
});

async function write(id: string): Promise<boolean> {
  try {
    const intent = await log.intend(authorized(id, false));
    log.append(outcome(id, { intentSequence: log.sequenceOf(intent) ?? 0 }));
    return true;
  } catch {
    return false;
  }
}

for (let call = 0; call < 20; call++) await write(`w-${call}`);
disk.full = kind !== 'real';
for (let call = 0; await write(`full-${call}`); call++);
process.stdout.write('full\n');
for (let call = 0; ; call++) {
  const id = `read-${call}`;
  await log.intend(authorized(id, true));
  log.append(outcome(id));
  while (!existsSync(spool) || !readFileSync(spool, 'latin1').includes(`"${id}"`)) await pause(2);
  process.stdout.write(`${id}\n`);
}
