import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { checkpointsPath } from '../audit/checkpoint-file.ts';
import { createFileAuditLog } from '../audit/file-audit-log.ts';
import { loadSigningKey } from '../audit/signing-key.ts';
import { authorized } from '../audit/testing.ts';
import { createProgress } from './audit-progress.ts';
import { runCommandLine } from './program.ts';
import { createTerminal } from './terminal.ts';

let folder = '';
let record = '';
let config = '';

const ignore = (): void => undefined;
const START_MS = 1_790_000_000_000;

/** Three files, 1 to 4, 5 to 8 and 9 to 11, with a checkpoint for each end. */
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'sallyport-verify-cli-'));
  record = path.join(folder, 'data', 'audit.jsonl');
  config = path.join(folder, 'sallyport.yaml');
  await writeFile(config, 'audit: { file: ./data/audit.jsonl }\n');
  const key = await loadSigningKey(path.join(folder, 'data', 'audit-signing-key.pem'));
  let nowMs = START_MS;
  const log = await createFileAuditLog({
    path: record,
    version: '1.2.3',
    authority: 'replica-1',
    now: () => nowMs,
    logger: { debug: ignore, info: ignore, warn: ignore, error: ignore },
    instruments: { auditBacklog: ignore, auditFailed: ignore, auditFailing: ignore },
    rotate: { maxBytes: Infinity, maxAgeMs: 5 },
    checkpoints: { key, everyRecords: 1_000_000, everyMs: 3_600_000 },
  });
  for (let index = 0; index < 9; index++) {
    if (index % 4 === 3) nowMs += 10;
    await log.intend(authorized(`r-${index}`, false));
  }
  await log.close();
});

afterEach(() => rm(folder, { recursive: true }));

async function run(...args: readonly string[]) {
  const written = { out: '', err: '' };
  const out = { write: (text: string) => (written.out += text) };
  const err = { write: (text: string) => (written.err += text) };
  const context = { terminal: createTerminal({ out, err }, {}), env: {}, readInput: () => Promise.resolve('') };
  return { code: await runCommandLine(['audit', ...args], context), ...written };
}

const segment = (first: number): string => path.join(folder, 'data', `audit.${String(first).padStart(12, '0')}.jsonl`);

describe('audit verify', () => {
  it('proves all files of the configured record, and says what is proved and up to where', async () => {
    const { code, out } = await run('verify', '--config', config);
    expect(code).toBe(0);
    expect(out).toContain('3 files: intact, 11 records, number 1 to 11.');
    expect(out).toContain('Proved: no record from 1 to 11 was changed, removed, inserted or moved.');
    expect(out).toContain('Nothing was cut off up to record 11 (2026-09-21T');
    expect(out).toContain('3 checkpoints matched, signatures good. They lie beside the record');
    expect(await run('verify', record)).toMatchObject({ code: 0, out: expect.stringContaining('3 files: intact, 11') });
  });

  it('says what is not proved when there is no checkpoint', async () => {
    await rm(checkpointsPath(record));
    expect(await run('verify', record)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Not proved: that nothing was cut off at the end.'),
    });
  });

  it('names the file, the line, the record and what is wrong, in sentences, and ends with 1', async () => {
    const text = await readFile(segment(5), 'latin1');
    await writeFile(segment(5), text.replace('"alice"', '"blice"'));
    const { code, out } = await run('verify', record);
    expect(code).toBe(1);
    expect(out).toContain(
      `${segment(5)}:1: altered. The text on line 1 was altered: it does not match its fingerprint.`,
    );
    expect(out).toContain('The first broken record is 5. 4 records before it are intact.');
  });

  it('names a file that is gone', async () => {
    await rm(segment(5));
    const { out } = await run('verify', record);
    expect(out).toContain('missing. Records 5 to 8 are missing: line 1 is record 9.');
    expect(out).toContain(`The file before it is ${segment(1)}: a file between the two is gone`);
  });

  it('says that it begins at a checkpoint where older files were deleted', async () => {
    await rm(segment(1));
    const { code, out } = await run('verify', record);
    expect(code).toBe(0);
    expect(out).toContain('It begins behind record 4, which a signed checkpoint stands for: older files were deleted.');
  });

  it('shows with a checkpoint that was kept elsewhere that the end was cut off, however the mail broke it', async () => {
    const { out: line, err } = await run('checkpoint', '--config', config);
    expect(err).toContain('Record 11');
    await rm(record);
    await rm(checkpointsPath(record));
    expect((await run('verify', record)).code).toBe(0);
    const kept = path.join(folder, 'kept.txt');
    await writeFile(kept, line.replaceAll(/.{70}/g, '$&\n'));
    for (const given of [kept, line.trim()]) {
      const { code, out } = await run('verify', record, '--checkpoint', given);
      expect(code).toBe(1);
      expect(out).toContain('cut-off. The chain ends at record 8, but record 11 was written: its end was cut off.');
    }
  });

  it('calls a checkpoint forged that its key did not sign', async () => {
    const text = await readFile(checkpointsPath(record), 'latin1');
    await writeFile(checkpointsPath(record), text.replace('replica-1', 'replica-2'));
    const { code, out } = await run('verify', record);
    expect(code).toBe(1);
    expect(out).toContain('forged. The checkpoint of record 4 beside the record was not signed by key');
  });

  it('takes the public key alone, from wherever it was kept', async () => {
    const kept = path.join(folder, 'auditor.pem');
    await writeFile(kept, await readFile(path.join(folder, 'data', 'audit-signing-key.pub.pem')));
    await rm(path.join(folder, 'data', 'audit-signing-key.pem'));
    await rm(path.join(folder, 'data', 'audit-signing-key.pub.pem'));
    expect((await run('verify', record)).out).toContain('signatures not checked. Name the public key: --public-key');
    expect((await run('verify', record, '--public-key', kept)).out).toContain('signatures good');
  });

  it('proves a range by number or by time', async () => {
    const byNumber = await run('verify', record, '--from-sequence', '6', '--to-sequence', '9');
    expect(byNumber.out).toContain('intact, 4 records, number 6 to 9.');
    expect(byNumber.out).toContain('What was before record 6 was not asked for.');
    const since = new Date(START_MS + 5).toISOString();
    expect((await run('verify', record, '--since', since)).out).toContain('intact, 1 record, number 11 to 11.');
    expect(await run('verify', record, '--until', '2020-01-01')).toMatchObject({ code: 1 });
  });

  it('proves files that are named as the range that they are', async () => {
    const { code, out } = await run('verify', segment(5), record);
    expect(code).toBe(0);
    expect(out).toContain('2 files: intact, 7 records, number 5 to 11.');
    expect(await run('verify', segment(1), record)).toMatchObject({ code: 1 });
  });

  it('is JSON for programs', async () => {
    const { out } = await run('verify', record, '--json');
    expect(JSON.parse(out)).toMatchObject({
      ok: true,
      records: 11,
      first: 1,
      last: { sequence: 11 },
      begins: 'at record 1',
      checkpoints: { matched: 3, forged: [], newest: { sequence: 11 } },
    });
    await truncate(record, 0);
    expect(JSON.parse((await run('verify', record, '--json')).out)).toMatchObject({ ok: false });
  });

  it.each([
    [['verify', '/nowhere/audit.jsonl'], 'There is no file /nowhere/audit.jsonl.'],
    [['verify', 'x', '--public-key', '/nowhere.pem'], 'There is no file /nowhere.pem.'],
    [['verify', 'x', '--checkpoint', '{"no": 1}'], 'is no checkpoint'],
    [['verify', 'x', '--from-sequence', '0'], '"0" is no number of a record.'],
    [['verify', 'x', '--from-sequence', '1', '--since', '1h'], 'of times or of numbers, not of both'],
    [['verify', 'x', '--since', 'yesterday'], '"yesterday" is no time.'],
    [['verify', '--config', '/nowhere.yaml'], 'cannot be used, so the audit file is not known.'],
  ])('ends with 2 when it could not be asked: %j', async (args, said) => {
    expect(await run(...args)).toMatchObject({ code: 2, err: expect.stringContaining(said) });
  });

  it('shows how far it is on a terminal, and nothing where there is none', () => {
    const shown: string[] = [];
    const progress = createProgress({ status: (line) => void shown.push(line) });
    progress.end();
    expect(shown).toEqual([]);
    createProgress({}).show({ records: 1, bytes: 1 });
  });
});

describe('audit checkpoint', () => {
  it('prints the newest as one line, and where to keep it', async () => {
    const { code, out, err } = await run('checkpoint', record);
    expect(code).toBe(0);
    expect(out.trimEnd()).not.toMatch(/\s/);
    expect(JSON.parse(out)).toMatchObject({ sequence: 11, authority: 'replica-1' });
    expect(err).toContain('Keep this line where nobody who can change the record can change it');
  });

  it('says when one is made, where there is none yet', async () => {
    await rm(checkpointsPath(record));
    expect(await run('checkpoint', record)).toMatchObject({
      code: 1,
      err: expect.stringContaining('There is no checkpoint'),
    });
  });
});
