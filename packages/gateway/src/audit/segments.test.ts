import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { segmentPath, segmentsOf } from './segments.ts';

describe('the files of one record', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'segments-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are in the order of the chain, the one that is written to last', async () => {
    const file = path.join(folder, 'audit.jsonl');
    for (const first of [1_000_000_000_000, 1, 20_000]) await writeFile(segmentPath(file, first), '');

    expect((await segmentsOf(file)).map(({ first }) => first)).toEqual([1, 20_000, 1_000_000_000_000, undefined]);
  });

  it('leave out what another record, a person or a repair put beside them', async () => {
    const file = path.join(folder, 'audit.jsonl');
    for (const other of [
      'audit.jsonl.torn-1',
      'audit.copy.jsonl',
      'audit2.000000000001.jsonl',
      'audit.000000000001.gz',
    ]) {
      await writeFile(path.join(folder, other), '');
    }

    expect(await segmentsOf(file)).toEqual([{ path: file, first: undefined }]);
  });

  it('are one file that is not there yet, where even the folder is missing', async () => {
    const file = path.join(folder, 'none', 'audit.jsonl');

    expect(await segmentsOf(file)).toEqual([{ path: file, first: undefined }]);
  });
});
