import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect, it } from 'vitest';

import { segmentPath } from '../audit/segments.ts';
import { auditTail } from './audit-tail.ts';
import { createTerminal } from './terminal.ts';

const record = (sequence: number): string =>
  `{"time":0,"metadata":{"sequence":${sequence}},"unmapped":{"event":"opened"}}\n`;

it('a file that is followed is read to its end when it is rotated away, and then the new one', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-tail-'));
  const file = path.join(folder, 'audit.jsonl');
  writeFileSync(file, record(1));
  const stop = new AbortController();
  const { promise: following, resolve: follows } = Promise.withResolvers<void>();
  let written = '';
  const out = { write: (text: string) => (written += text) };
  const terminal = createTerminal({ out, err: { write: () => follows() } }, {});
  const context = { terminal, env: {}, readInput: () => Promise.resolve('') };
  const ended = auditTail(context, { file, config: '', json: true }, stop.signal);
  try {
    await following;
    appendFileSync(file, record(2));
    renameSync(file, segmentPath(file, 1));
    writeFileSync(file, record(3));
    await expect.poll(() => written, { timeout: 15_000 }).toBe(record(2) + record(3));
  } finally {
    stop.abort();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
});
