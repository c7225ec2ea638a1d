import { chmod, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { Refusal } from '../model/failure.ts';
import { somebody } from '../model/principal.fixture.ts';
import type { Credential, CredentialBroker } from './broker.ts';
import type { CredentialSource } from './credential-report.ts';
import { createSecretResolver } from './secret-resolver.ts';
import { createStaticBroker, type CredentialSources } from './static-broker.ts';

const VALUE = 'sk-live-4f9c2e7a';
const never = new AbortController().signal;
const alice = somebody('alice');

let folder = '';
let warnings: string[] = [];
let nowMs = 0;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sallyport-credential-'));
  warnings = [];
  nowMs = 1000;
});

afterEach(() => rm(folder, { recursive: true }));

function brokerFor(
  sources: Partial<CredentialSources>,
  env: Record<string, string> = {},
): CredentialBroker & CredentialSource {
  const ignore = (): void => undefined;
  const logger = {
    debug: ignore,
    info: ignore,
    error: ignore,
    warn: (_: unknown, text: string) => void warnings.push(text),
  };
  const clockMs = (): number => nowMs;
  const resolver = createSecretResolver({ env, logger, clockMs });
  return createStaticBroker({
    servers: { files: { headers: {}, env: {}, ...sources } },
    resolver,
    clockMs,
    now: clockMs,
  });
}

const obtain = async (broker: CredentialBroker): Promise<Credential> => broker.obtain(alice, 'files', never);

const fileSource = (path: string) => ({ kind: 'file', path, prefix: '' }) as const;

describe('a static credential', () => {
  it('is made of files, variables and plain text, with prefixes before references', async () => {
    const path = join(folder, 'key');
    await writeFile(path, `${VALUE}\n`);
    const broker = brokerFor(
      {
        headers: { 'X-Api-Key': fileSource(path), Authorization: { kind: 'env', name: 'TOKEN', prefix: 'Bearer ' } },
        env: { LOG_LEVEL: { kind: 'literal', value: 'info' } },
      },
      { TOKEN: 'abc' },
    );
    const { headers, env } = await obtain(broker);
    expect(headers['X-Api-Key']?.expose()).toBe(VALUE);
    expect(headers.Authorization?.expose()).toBe('Bearer abc');
    expect(env.LOG_LEVEL?.expose()).toBe('info');
  });

  it('is told of with the scopes that its token says it has, and without a word of the token', async () => {
    const claims = Buffer.from('{"scope":"crm:read crm:write"}').toString('base64url');
    const sources = { headers: { Authorization: { kind: 'env', name: 'TOKEN', prefix: 'Bearer ' } } } as const;
    const broker = brokerFor(sources, { TOKEN: `e30.${claims}.c2ln` });
    expect(broker.report(undefined)).toMatchObject([{ server: 'files', state: 'unused' }]);
    await obtain(broker);
    const told = await broker.report(undefined);
    expect(told).toMatchObject([{ server: 'files', state: 'good', scopes: ['crm:read', 'crm:write'] }]);
    expect(JSON.stringify(told)).not.toContain(claims);
  });

  it('is the same object, given at once, while nothing changed', async () => {
    const path = join(folder, 'key');
    await writeFile(path, VALUE);
    const broker = brokerFor({ headers: { 'X-Api-Key': fileSource(path) } });
    const first = await obtain(broker);
    expect(broker.obtain(alice, 'files', never)).toBe(first);
    nowMs += 5000;
    expect(await obtain(broker)).toBe(first);
  });

  it('has a new version when its file was replaced, and the version tells nothing about the value', async () => {
    const path = join(folder, 'key');
    await writeFile(path, VALUE);
    const broker = brokerFor({ headers: { 'X-Api-Key': fileSource(path) } });
    const before = await obtain(broker);
    await writeFile(`${path}.new`, 'sk-live-rotated');
    await rename(`${path}.new`, path);
    nowMs += 1000;
    const after = await obtain(broker);
    expect(after.headers['X-Api-Key']?.expose()).toBe('sk-live-rotated');
    expect([before.version, after.version]).toEqual(['files/1', 'files/2']);
  });

  it('keeps the last value while its file is away, warns once, and follows it when it is back', async () => {
    const path = join(folder, 'key');
    await writeFile(path, VALUE);
    const broker = brokerFor({ headers: { 'X-Api-Key': fileSource(path) } });
    const before = await obtain(broker);
    await rm(path);
    for (let second = 0; second < 3; second++) {
      nowMs += 1000;
      expect(await obtain(broker)).toBe(before);
    }
    expect(warnings).toEqual([expect.stringContaining('The last value stays in use.')]);
    await writeFile(path, 'sk-live-rotated');
    nowMs += 1000;
    expect((await obtain(broker)).headers['X-Api-Key']?.expose()).toBe('sk-live-rotated');
  });

  it('is available as soon as a file that was missing at first appears', async () => {
    const path = join(folder, 'key');
    const broker = brokerFor({ headers: { 'X-Api-Key': fileSource(path) } });
    await expect(obtain(broker)).rejects.toThrow(`file:${path} does not exist`);
    await writeFile(path, VALUE);
    expect((await obtain(broker)).headers['X-Api-Key']?.expose()).toBe(VALUE);
  });

  it('never shows its value where it is printed', async () => {
    const broker = brokerFor({ env: { TOKEN: { kind: 'env', name: 'TOKEN', prefix: '' } } }, { TOKEN: VALUE });
    const credential = await obtain(broker);
    const printed = [
      JSON.stringify(credential),
      inspect(credential, { depth: 9, showHidden: true }),
      String(credential.env.TOKEN),
    ];
    for (const text of printed) expect(text).not.toContain(VALUE);
  });

  it('is not waited for by a caller that has gone', async () => {
    const broker = brokerFor({ env: { TOKEN: { kind: 'env', name: 'TOKEN', prefix: '' } } }, { TOKEN: VALUE });
    const gone = AbortSignal.abort();
    await expect(async () => broker.obtain(alice, 'files', gone)).rejects.toMatchObject({
      failure: { code: 'cancelled' },
    });
  });
});

describe('a reference that leads nowhere', () => {
  const write = async (name: string, content: string): Promise<string> => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };
  const cases: readonly [string, () => Promise<Partial<CredentialSources>>, RegExp][] = [
    [
      'a variable that is not set',
      async () => ({ env: { T: { kind: 'env', name: 'NOPE', prefix: '' } } }),
      /env:NOPE is not set\. Set NOPE/,
    ],
    [
      'a variable that is empty',
      async () => ({ env: { T: { kind: 'env', name: 'EMPTY', prefix: '' } } }),
      /env:EMPTY is empty/,
    ],
    [
      'a file that does not exist',
      async () => ({ headers: { K: fileSource(join(folder, 'none')) } }),
      /does not exist/,
    ],
    ['an empty file', async () => ({ headers: { K: fileSource(await write('empty', '\n')) } }), /is empty/],
    ['a folder', async () => ({ headers: { K: fileSource(folder) } }), /is a folder/],
    [
      'a file too large for a secret',
      async () => ({ headers: { K: fileSource(await write('big', VALUE.repeat(9000))) } }),
      /more than 65536 bytes/,
    ],
    [
      'a header value with a line break in it',
      async () => ({ headers: { K: fileSource(await write('crlf', `${VALUE}\r\nX: y\n`)) } }),
      /line break/,
    ],
    ['a variable with a NUL in it', async () => ({ env: { K: fileSource(await write('nul', `${VALUE}\0x`)) } }), /NUL/],
  ];

  it.each(cases)('%s refuses the call and names what to mend, never the value', async (_, sources, message) => {
    const error: unknown = await obtain(brokerFor(await sources(), { EMPTY: '' })).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Refusal);
    expect(error).toMatchObject({ failure: { code: 'server-unavailable' }, message: expect.stringMatching(message) });
    expect(inspect(error, { depth: 9 })).not.toContain(VALUE);
  });

  it.skipIf(process.getuid?.() === 0)('a file without the right to read it says so', async () => {
    const path = await write('locked', VALUE);
    await chmod(path, 0o000);
    await expect(obtain(brokerFor({ headers: { K: fileSource(path) } }))).rejects.toThrow('may not be read');
  });
});
