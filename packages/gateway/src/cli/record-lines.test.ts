import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { segmentPath } from '../audit/segments.ts';
import { CommandError } from './command.ts';
import { recordLines } from './record-lines.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'record-lines-'));
  file = path.join(folder, 'audit.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it('a record that is rotated while a command reads it is read whole, each line once', async () => {
  await writeFile(segmentPath(file, 1), 'one\n');
  await writeFile(file, 'two\n');
  const read: string[] = [];
  for await (const line of recordLines(file)) {
    read.push(line);
    if (line !== 'one') continue;
    await rename(file, segmentPath(file, 2));
    await writeFile(file, 'three\n');
  }
  expect(read).toEqual(['one', 'two', 'three']);
});

it('a record that is not there is said to be missing, and where its name stands', async () => {
  await expect(recordLines(file).next()).rejects.toSatisfy(
    (error) => error instanceof CommandError && error.message.includes(file) && error.hint !== undefined,
  );
});
