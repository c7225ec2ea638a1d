import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import Database from 'better-sqlite3';
import { afterAll, describe, expect, it } from 'vitest';

import { sallyport } from '../../../../test/harness/command-line.ts';
import { loadConfig } from '../config/load.ts';
import { instantText, parseInstant } from './instant.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** Commands on one fresh configuration. */
function keysOf(yaml = 'servers: {}') {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-keys-'));
  folders.push(folder);
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, `${yaml}\n`);
  const key = (command: string, ...args: readonly string[]) => sallyport(['key', command, ...args, '--config', file]);
  return { folder, file, key };
}

const CONFIGURED = `identity:\n  apiKeys: [{ name: alice, hash: "sha256:${'0'.repeat(64)}", groups: [a] }]`;

describe('key create', () => {
  it('keeps the key in the storage, and prints it alone to standard output', async () => {
    const { folder, key } = keysOf();
    const { code, out, err } = await key('create', 'alice', '-g', 'engineering', '--expires', '90d');
    expect(code).toBe(0);
    expect(out).toMatch(/^sp_\S+\n$/);
    expect(err).toMatch(/shown once.*sallyport\.db.*\n.*until \d{4}-\d\d-\d\d \d\d:\d\d UTC.*\n.*tools --as alice/);
    expect(err).not.toContain(out.trim());
    const reader = new Database(path.join(folder, 'data/sallyport.db'), { readonly: true });
    expect(JSON.stringify(reader.prepare('select * from api_keys').all())).not.toContain(out.trim());
    expect(reader.prepare('select actor, action, name from key_events').all()).toEqual([
      { actor: `cli:${os.userInfo().username}`, action: 'create', name: 'alice' },
    ]);
    reader.close();
  });

  it('prints the line of the configuration when asked to, with all that was said', async () => {
    const { folder, key } = keysOf();
    const args = ['ci', '-g', 'on', '--tenant', 'acme', '--expires', '2099-01-31', '--print-config'];
    const { code, err } = await key('create', ...args);
    expect(code).toBe(0);
    const file = path.join(folder, 'printed.yaml');
    writeFileSync(file, `identity:\n  apiKeys:\n${err.split('\n').find((line) => line.includes('hash:'))}\n`);
    const loaded = loadConfig(file, { env: {} });
    expect(loaded.ok && loaded.value.config.identity.apiKeys).toMatchObject([
      { name: 'ci', groups: ['on'], tenant: 'acme', expiresAtMs: Date.parse('2099-01-31') },
    ]);
  });

  it('refuses a name that is taken, in the storage or the configuration, and says what to type', async () => {
    const { key } = keysOf(CONFIGURED);
    expect(await key('create', 'alice')).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/sallyport\.yaml has it/),
    });
    expect((await key('create', 'bob')).code).toBe(0);
    expect(await key('create', 'bob')).toMatchObject({
      code: 2,
      out: '',
      err: expect.stringMatching(/key revoke bob/),
    });
    expect((await key('create', 'bob', '--tenant', 'acme')).code).toBe(0);
    expect((await key('create', 'alice', '--tenant', 'acme')).code).toBe(0);
  });

  it.each([
    [['a\nb'], 'cannot be a name'],
    [['alice', '--group', ''], 'cannot be a name'],
    [['alice', '--expires', 'soon'], 'Write 30m'],
    [['alice', '--expires', '2020-01-01'], 'is over already'],
  ])('refuses %j', async (args, said) => {
    const { key } = keysOf();
    expect(await key('create', ...args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(said) });
  });

  it('does not make up for a configuration that was named and is not there', async () => {
    const { code, out } = await sallyport(['key', 'create', 'alice', '--config', '/nowhere/sallyport.yaml']);
    expect({ code, out }).toEqual({ code: 1, out: '' });
  });
});

describe('key list', () => {
  it('shows keys of the storage and of the configuration, in columns, with their state', async () => {
    const { key } = keysOf(CONFIGURED);
    await key('create', 'bob', '-g', 'support', '-g', 'dba');
    await key('create', 'carol', '--tenant', 'acme');
    await key('revoke', 'carol', '--tenant', 'acme');
    await key('create', 'dave');
    await key('expire', 'dave');
    const { code, out } = await key('list');
    expect(code).toBe(0);
    expect(out).toMatch(/^name +tenant +groups +key +created +expires +last used +state +kept in$/m);
    expect(out).toMatch(/^alice +default +a +- +- +never +- +active +configuration$/m);
    expect(out).toMatch(
      /^bob +default +support, dba +sp_.{6}… +\d{4}-\d\d-\d\d \d\d:\d\d +never +never +active +storage$/m,
    );
    expect(out).toMatch(/^carol +acme .* revoked +storage$/m);
    expect(out).toMatch(/^dave .* expired +storage$/m);
    const listed = JSON.parse((await key('list', '--json', '--tenant', 'acme')).out) as object[];
    expect(listed).toMatchObject([{ name: 'carol', tenant: 'acme', state: 'revoked', from: 'storage' }]);
    expect(JSON.stringify(listed)).not.toContain('hash');
  });

  it('says how to make the first one', async () => {
    expect(await keysOf().key('list')).toMatchObject({ code: 0, err: expect.stringContaining('key create') });
  });
});

describe('key expire and key revoke', () => {
  it('set an end, move it, and end for good', async () => {
    const { key } = keysOf();
    await key('create', 'alice');
    expect((await key('expire', 'alice', '--at', '2099-01-31')).out).toContain('2099-01-31 00:00 UTC');
    expect((await key('expire', 'alice', '--in', '7d')).out).toMatch(/expires at \d{4}-/);
    expect((await key('expire', 'alice')).out).toContain('within 5 seconds');
    expect((await key('revoke', 'alice')).out).toContain('within 5 seconds');
    expect(await key('revoke', 'alice')).toMatchObject({ code: 2, err: expect.stringContaining('revoked before') });
    expect((await key('create', 'alice')).code).toBe(0);
  });

  it('say what was meant, which tenant, and where a key of the configuration stands', async () => {
    const { key } = keysOf(CONFIGURED);
    await key('create', 'bob', '--tenant', 'acme');
    await key('create', 'carol');
    const said = async (...args: readonly string[]) => {
      const { code, err } = await key('revoke', ...args);
      expect(code).toBe(2);
      return err;
    };
    expect(await said('karol')).toContain('Did you mean carol?');
    expect(await said('bob')).toContain('--tenant acme');
    expect(await said('alice')).toContain('which this command does not write');
    expect(await said('zzzzzzzz')).toContain('key list');
    expect(await key('expire', 'carol', '--at', '2099-01-31', '--in', '7d')).toMatchObject({ code: 2 });
    expect(await key('expire', 'carol', '--in', 'never')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--in'),
    });
  });

  it('say what is wrong with the storage, and where it is set', async () => {
    const { key, folder } = keysOf();
    writeFileSync(path.join(folder, 'data'), 'in the way');
    const refused = await key('revoke', 'alice');
    expect(refused).toMatchObject({
      code: 3,
      err: expect.stringMatching(/sallyport\.db cannot be used.*\n.*storage\.url/),
    });
    const reference = keysOf('storage: { url: env:NOT_SET }');
    expect(await reference.key('list')).toMatchObject({ code: 1, err: expect.stringContaining('NOT_SET is not set') });
  });
});

describe('an instant', () => {
  const NOW_MS = Date.parse('2026-11-25T12:00:00Z');

  it.each([
    ['30m', '2026-11-25 12:30'],
    ['90d', '2027-02-23 12:00'],
    ['2w', '2026-12-09 12:00'],
    ['1y', '2027-11-25 12:00'],
    ['2027-01-31', '2027-01-31 00:00'],
    ['2027-01-31T12:00Z', '2027-01-31 12:00'],
    ['2027-01-31 12:00:30+02:00', '2027-01-31 10:00'],
  ])('%s is %s', (text, expected) => {
    const parsed = parseInstant(text, NOW_MS);
    expect(parsed.ok && instantText(parsed.value)).toBe(expected);
  });

  it.each([
    '',
    'soon',
    '90',
    '90 d',
    '-1d',
    '1234567d',
    '2027-02-31',
    '2027-13-01',
    '31.1.2027',
    '2027-01-31T12:00',
    '2027-01-31T25:00Z',
  ])('%j is none', (text) => {
    expect(parseInstant(text, NOW_MS).ok).toBe(false);
  });
});
