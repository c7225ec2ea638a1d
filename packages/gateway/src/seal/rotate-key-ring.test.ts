import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { loadKeyRing } from './key-ring.ts';
import { changeKeyRing } from './rotate-key-ring.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sallyport-ring-'));
});
afterEach(() => rm(folder, { recursive: true }));

const options = () => ({ file: path.join(folder, 'grants.keys.json'), randomBytes });

describe('a key ring that is rotated', () => {
  it('has a new current key, keeps the others, and stays readable by its owner alone', async () => {
    const before = await loadKeyRing(options());
    const after = await changeKeyRing(options(), { kind: 'rotate' });
    expect(after.keys.map(({ id }) => id)).toEqual([before.current, after.current]);
    expect(after.keys[0]?.secret.expose()).toBe(before.keys[0]?.secret.expose());
    expect((await stat(options().file)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['grants.keys.json']);
  });

  it('can be prepared with a key that is used later', async () => {
    const before = await loadKeyRing(options());
    const prepared = await changeKeyRing(options(), { kind: 'prepare' });
    expect(prepared.current).toBe(before.current);
    const id = prepared.keys[1]?.id ?? '';
    expect((await changeKeyRing(options(), { kind: 'use', id })).current).toBe(id);
    await expect(changeKeyRing(options(), { kind: 'use', id: 'nope' })).rejects.toThrow('it has no key "nope"');
  });

  it('that is full says so and stays as it was', async () => {
    for (let made = 0; made < 15; made += 1) await changeKeyRing(options(), { kind: 'prepare' });
    const before = await loadKeyRing(options());
    await expect(changeKeyRing(options(), { kind: 'rotate' })).rejects.toThrow('as many as it may have');
    expect(await loadKeyRing(options())).toEqual(before);
  });
});
