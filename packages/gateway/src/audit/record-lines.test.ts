import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { recordLines } from './record-lines.ts';
import { segmentPath } from './segments.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-lines-'));
  file = path.join(folder, 'audit.jsonl');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function read(each?: (line: string) => void): Promise<readonly string[]> {
  const lines: string[] = [];
  for await (const line of recordLines(file)) {
    lines.push(line);
    each?.(line);
  }
  return lines;
}

describe('the lines of a record', () => {
  it('are those of all its files, oldest first', async () => {
    writeFileSync(segmentPath(file, 1), 'one\ntwo\n');
    writeFileSync(segmentPath(file, 3), 'three\n');
    writeFileSync(file, 'four\n');
    expect(await read()).toEqual(['one', 'two', 'three', 'four']);
  });

  it('are each read once when the file is rotated meanwhile', async () => {
    writeFileSync(segmentPath(file, 1), 'one\n');
    writeFileSync(file, 'two\n');
    let rotated = false;
    const lines = await read(() => {
      if (rotated) return;
      rotated = true;
      renameSync(file, segmentPath(file, 2));
      writeFileSync(file, 'three\n');
    });
    expect(lines).toEqual(['one', 'two', 'three']);
  });

  it('may all be in files that were rotated away', async () => {
    writeFileSync(segmentPath(file, 1), 'one\n');
    expect(await read()).toEqual(['one']);
  });

  it('of one old file are had by its name', async () => {
    writeFileSync(segmentPath(file, 1), 'one\n');
    writeFileSync(file, 'two\n');
    file = segmentPath(file, 1);
    expect(await read()).toEqual(['one']);
  });

  it('are none, and that is an error, where there is no file', async () => {
    await expect(read()).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
