import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { KeyRingError, loadKeyRing } from './key-ring.ts';

const SECRET = Buffer.alloc(32, 7).toString('base64url');

let folder = '';
let file = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-keys-'));
  file = join(folder, 'keys.json');
});

afterEach(() => rm(folder, { recursive: true }));

describe('loadKeyRing', () => {
  test('creates a file that only its owner may open, and finds the same keys afterwards', async () => {
    const created = await loadKeyRing({ file, randomBytes });
    expect((await stat(file)).mode & 0o777).toBe(0o600);

    const loaded = await loadKeyRing({ file, randomBytes });
    expect(loaded.current).toBe(created.current);
    expect(loaded.keys.map(({ secret }) => secret.expose())).toEqual(created.keys.map(({ secret }) => secret.expose()));
  });

  test('lets one of several processes that start together create the file', async () => {
    await loadKeyRing({ file, randomBytes });
    const before = await readFile(file, 'utf8');
    await Promise.all([1, 2, 3].map(() => loadKeyRing({ file, randomBytes })));
    expect(await readFile(file, 'utf8')).toBe(before);
  });

  test('takes several keys, so that a rotation keeps what was sealed before', async () => {
    const keys = [
      { id: 'old', secret: SECRET },
      { id: 'new', secret: SECRET },
    ];
    await writeFile(file, JSON.stringify({ current: 'new', keys }), { mode: 0o600 });
    const ring = await loadKeyRing({ file, randomBytes });
    expect(ring.current).toBe('new');
    expect(ring.keys.map(({ id }) => id)).toEqual(['old', 'new']);
  });

  test('prints no secret', async () => {
    const ring = await loadKeyRing({ file, randomBytes });
    expect(JSON.stringify(ring)).toContain('[redacted]');
  });

  test.runIf(process.platform !== 'win32').each([0o640, 0o604, 0o660])(
    'refuses a file whose mode is %o and says what to type',
    async (mode) => {
      await loadKeyRing({ file, randomBytes });
      await chmod(file, mode);
      await expect(loadKeyRing({ file, randomBytes })).rejects.toThrow(`chmod 600 ${file}`);
    },
  );

  test.each([
    ['not JSON', '{"current": "a', 'it is not a JSON object'],
    ['empty', '', 'it is not a JSON object'],
    ['a list', '[]', 'it is not a JSON object'],
    ['without keys', '{"current": "a", "keys": []}', '"keys" must be a list of 1 to 16 keys'],
    ['with a bad id', keyFile('a', { id: 'a.b', secret: SECRET }), 'keys[0].id must be'],
    ['with a short secret', keyFile('a', { id: 'a', secret: 'c2hvcnQ' }), 'keys[0].secret must be at least 32'],
    ['with a secret in another alphabet', keyFile('a', { id: 'a', secret: `${SECRET}+/` }), 'keys[0].secret must be'],
    ['with an unknown current key', keyFile('b', { id: 'a', secret: SECRET }), '"current" must be the id'],
    [
      'with the same id twice',
      keyFile('a', { id: 'a', secret: SECRET }, { id: 'a', secret: SECRET }),
      'two keys have the same id',
    ],
  ])('refuses a file that is %s, names the file and quotes nothing of it', async (_name, text, problem) => {
    await writeFile(file, text, { mode: 0o600 });
    const failed = await loadKeyRing({ file, randomBytes }).catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(KeyRingError);
    expect(String(failed)).toContain(problem);
    expect(String(failed)).toContain(file);
    expect(String(failed)).not.toContain(SECRET);
  });

  test('says so when the folder does not exist', async () => {
    const missing = join(folder, 'none', 'keys.json');
    await expect(loadKeyRing({ file: missing, randomBytes })).rejects.toThrow('Check that the folder exists');
  });
});

function keyFile(current: string, ...keys: readonly { id: string; secret: string }[]): string {
  return JSON.stringify({ current, keys });
}
