/**
 * Fail closed: whatever a decision depends on may be away, may never answer, or may answer garbage. Each row breaks one thing;
 * the call is then refused, cleanly and soon, and nothing of it reaches the server behind the gateway.
 */

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import path from 'node:path';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { loadConfig } from '../packages/gateway/src/config/load.ts';
import { startGateway } from '../packages/gateway/src/gateway.ts';
import { createApiKey } from '../packages/gateway/src/authn/api-key.ts';
import { openAppendFile } from '../packages/gateway/src/audit/append-file.ts';
import type { AppendFile } from '../packages/gateway/src/audit/batch-writer.ts';
import { startBrokenIssuer, type Breakage } from './fixtures/broken-issuer.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { writeTestConfig } from './harness/config-file.ts';
import { startTestGateway, type TestGateway, type TestGatewayOptions } from './harness/gateway.ts';
import { until } from './harness/until.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';

/** Far above the second that it takes: what is looked for is a call that hangs. */
const HANGS_MS = 8_000;
const ALLOW = 'allow: [{ group: engineering, tools: ["*"] }]';

let upstream: MisbehavingServer;
beforeAll(async () => {
  upstream = await startMisbehavingServer();
});
afterAll(() => upstream.close());
beforeEach(() => {
  upstream.seen.length = 0;
});

const called = (): number => upstream.seen.filter(({ rpc }) => rpc.method === 'tools/call').length;

async function call(gateway: TestGateway, credential: string): Promise<HttpAnswer> {
  const request = modern('tools/call', { name: 'ok', arguments: { text: 'x' } });
  const answered = send(`${gateway.url}/servers/files/mcp`, {
    ...request,
    headers: { ...request.headers, ...bearer(credential) },
  });
  const { promise: hung, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('the call hangs')), HANGS_MS);
  try {
    return await Promise.race([answered, hung]);
  } finally {
    clearTimeout(timer);
  }
}

type Refusal = { readonly status: number; readonly code: number };

async function expectRefused(gateway: TestGateway, credential: string, refusal: Refusal): Promise<void> {
  const answer = await call(gateway, credential);
  expect({ status: answer.status, code: answer.json?.error?.code }, answer.text).toEqual(refusal);
  expect(called(), 'nothing reached the server').toBe(0);
}

const server = (settings = ''): string => `servers:\n  files: { url: "${upstream.url}", ${ALLOW}${settings} }`;

const IDENTITY_AWAY: Refusal = { status: 503, code: -31_503 };
const HTML: Breakage = { status: 200, body: '<html>Log in</html>' };

describe('the identity provider', () => {
  test('that works lets the same call through', async () => {
    await withIssuer({}, async (gateway, token) => {
      expect((await call(gateway, token)).json?.result).toBeDefined();
      expect(called()).toBe(1);
    });
  });

  test.each<[string, { metadata?: Breakage; keys?: Breakage }, Refusal]>([
    ['its metadata never come', { metadata: 'hang' }, IDENTITY_AWAY],
    ['it hangs up on whoever asks for its metadata', { metadata: 'reset' }, IDENTITY_AWAY],
    ['its metadata never end', { metadata: 'endless' }, IDENTITY_AWAY],
    ['its metadata are an error', { metadata: { status: 500, body: '{}' } }, IDENTITY_AWAY],
    ['its metadata are a page', { metadata: HTML }, IDENTITY_AWAY],
    ['its metadata name no keys', { metadata: { status: 200, body: '{}' } }, IDENTITY_AWAY],
    [
      'its metadata are those of another issuer',
      {
        metadata: {
          status: 200,
          body: '{"issuer":"https://elsewhere.example","jwks_uri":"https://elsewhere.example/k"}',
        },
      },
      IDENTITY_AWAY,
    ],
    ['its keys never come', { keys: 'hang' }, IDENTITY_AWAY],
    ['it hangs up on whoever asks for its keys', { keys: 'reset' }, IDENTITY_AWAY],
    ['its keys never end', { keys: 'endless' }, IDENTITY_AWAY],
    ['its keys are an error', { keys: { status: 500, body: '{"keys":[]}' } }, IDENTITY_AWAY],
    ['its keys are a page', { keys: HTML }, IDENTITY_AWAY],
    ['its keys are no list', { keys: { status: 200, body: '{"keys":"all of them"}' } }, IDENTITY_AWAY],
    ['it has no keys', { keys: { status: 200, body: '{"keys":[]}' } }, { status: 401, code: -31_401 }],
    [
      'its only key is no key',
      { keys: { status: 200, body: '{"keys":[{"kid":"one","kty":"?"}]}' } },
      { status: 401, code: -31_401 },
    ],
  ])('refuses when %s', async (_, broken, refusal) => {
    await withIssuer(broken, (gateway, token) => expectRefused(gateway, token, refusal));
  });

  test('refuses when it is away', async () => {
    const issuer = await startBrokenIssuer();
    await withGateway({ yaml: `  issuers: [{ issuer: "${issuer.url}" }]\n${server()}` }, async (gateway) => {
      const token = await issuer.token(`${gateway.url}/servers/files/mcp`);
      await issuer.close();
      await expectRefused(gateway, token, IDENTITY_AWAY);
    });
  });
});

describe('the record', () => {
  const full = (): Promise<void> => Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }));

  test.each<[string, (mended: Promise<void>) => Promise<void>, status: number]>([
    ['has no room left', full, 503],
    // Disks do stall: an intent waits for up to five seconds, and meanwhile the answer has begun as a stream.
    ['never finishes a write', (mended) => mended, 200],
  ])('refuses when the disk %s, and the refusal is recorded once it is mended', async (_, fault, status) => {
    const { promise: mended, resolve: mend } = Promise.withResolvers<void>();
    let isBroken = false;
    const openAuditFile = async (file: string): Promise<AppendFile> => {
      const disk = await openAppendFile(file);
      const write: AppendFile['write'] = async (bytes) => {
        if (isBroken) await fault(mended);
        return disk.write(bytes);
      };
      return { ...disk, write };
    };
    await withGateway({ yaml: server(), openAuditFile }, async (gateway) => {
      isBroken = true;
      try {
        await expectRefused(gateway, gateway.keys.alice ?? '', { status, code: -31_503 });
      } finally {
        isBroken = false;
        mend();
      }
      await until('the record of the refusal', () => JSON.stringify(gateway.records()).includes('record-unavailable'));
    });
  });
});

describe('the database of keys', () => {
  /** A database that takes every connection and then does one thing. */
  async function listening(then: (socket: Socket) => void): Promise<{ url: string; close(): void }> {
    const sockets = new Set<Socket>();
    const listener = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      then(socket);
    });
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    return {
      url: `postgres://gateway@127.0.0.1:${port}/keys`,
      close() {
        for (const socket of sockets) socket.destroy();
        listener.close();
      },
    };
  }

  /** A key that only the database could know of. */
  const stranger = createApiKey(randomBytes).key.expose();

  async function refuses(url: string): Promise<void> {
    await withGateway({ yaml: `storage: { url: "${url}" }\n${server()}` }, async (gateway) => {
      await expectRefused(gateway, stranger, { status: 503, code: -31_503 });
      expect((await call(gateway, gateway.keys.alice ?? '')).json?.result, 'a key of the configuration').toBeDefined();
    });
  }

  test.each<[string, (socket: Socket) => void]>([
    ['takes the question and never answers', () => undefined],
    ['answers garbage', (socket) => void socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['hangs up', (socket) => void socket.destroy()],
  ])('refuses a key that only it knows when it %s', async (_, then) => {
    const database = await listening(then);
    try {
      await refuses(database.url);
    } finally {
      database.close();
    }
  });

  test('refuses a key that only it knows when it is away', async () => {
    const database = await listening(() => undefined);
    database.close();
    await refuses(database.url);
  });

  test('refuses a key that only it knows when its file is no database', async () => {
    const { directory } = writeTestConfig({ yaml: 'servers: {}' });
    try {
      writeFileSync(path.join(directory, 'keys.db'), 'this is no database, and longer than a header of one'.repeat(40));
      await refuses(`sqlite:${directory}/keys.db`);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe('the credential for the server', () => {
  const secret = (reference: string): string => server(`, headers: { X-Key: "${reference}" }`);
  test.each<[string, (directory: string) => string]>([
    ['its variable is not set', () => 'env:NO_SUCH_VARIABLE_IS_SET'],
    ['its file is not there', (directory) => `file:${directory}/none`],
    ['its file is empty', (directory) => written(directory, '')],
    ['its file holds what no header can', (directory) => written(directory, 'one\ntwo\u0000')],
    ['its file is a folder', (directory) => `file:${directory}`],
    ['its file is a pipe into which nobody writes', (directory) => `file:${pipe(path.join(directory, 'pipe'))}`],
  ])('keeps the server from being called when %s', async (_, reference) => {
    const directory = writeTestConfig({ yaml: 'servers: {}' }).directory;
    try {
      await withGateway({ yaml: secret(reference(directory)) }, async (gateway) => {
        const answer = await call(gateway, gateway.keys.alice ?? '');
        expect(answer.json?.result).toBeUndefined();
        expect(answer.json?.error?.message).toEqual(expect.any(String));
        expect(upstream.seen, 'nothing at all reached the server').toEqual([]);
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  function written(directory: string, text: string): string {
    writeFileSync(path.join(directory, 'secret'), text);
    return `file:${directory}/secret`;
  }
});

function pipe(file: string): string {
  execFileSync('mkfifo', ['-m', '600', file]);
  return file;
}

describe('a policy', () => {
  test('that cannot be evaluated refuses', async () => {
    const policies = '@id("errs")\nforbid (principal, action, resource) when { context.arguments.none == 1 };\n';
    await withGateway({ yaml: server(), policies }, (gateway) =>
      expectRefused(gateway, gateway.keys.alice ?? '', { status: 200, code: -31_403 }),
    );
  });
});

describe('nothing starts, and says why, when', () => {
  type Breaks = (directory: string) => void;
  const at =
    (name: string, spoil: (file: string) => void): Breaks =>
    (directory) =>
      spoil(path.join(directory, name));
  const text = (content: string) => (file: string) => writeFileSync(file, content, { mode: 0o600 });
  test.each<[string, Breaks, RegExp]>([
    ['a policy file is not there', at('policy.cedar', (file) => rmSync(file)), /cannot be read/u],
    ['a policy file is empty', at('policy.cedar', text('')), /is empty/u],
    ['a policy file is garbage', at('policy.cedar', text('\u0000\u0001')), /policy\.cedar:1:1/u],
    ['a policy file is a pipe', at('policy.cedar', replacedBy(pipe)), /not a regular file/u],
    ['the key ring is garbage', at('keys.json', text('no keys')), /not a JSON object/u],
    ['the key ring is empty', at('keys.json', text('')), /not a JSON object/u],
    ['the key ring is a folder', at('keys.json', (file) => mkdirSync(file, { mode: 0o700 })), /Key ring/u],
    ['the key ring is a pipe', at('keys.json', pipe), /Key ring .* not a regular file/u],
    [
      'the key ring is open to others',
      at('keys.json', (file) => (text('{}')(file), chmodSync(file, 0o644))),
      /chmod 600/u,
    ],
    ['the record is a pipe', at('audit.jsonl', pipe), /audit\.jsonl/u],
    ['the record is a folder', at('audit.jsonl', (file) => mkdirSync(file)), /audit\.jsonl/u],
    ['the record ends in garbage', at('audit.jsonl', text('{"no":"record"}\n{}\n')), /no intact record/u],
  ])('%s', async (_, spoil, reason) => {
    const { file, directory } = writeTestConfig({ yaml: server(), policies: '// None.\n' });
    spoil(directory);
    try {
      await expect(started(file)).rejects.toThrow(reason);
      expect(upstream.seen, 'no server was asked for anything').toEqual([]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  function replacedBy(make: (file: string) => unknown): (file: string) => void {
    return (file) => {
      rmSync(file);
      make(file);
    };
  }

  async function started(file: string): Promise<void> {
    const loaded = loadConfig(file);
    if (!loaded.ok) throw new Error(loaded.error.map(({ message }) => message).join('\n'));
    const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
    const { promise: hung, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('the start hangs')), HANGS_MS);
    const gateway = await Promise.race([startGateway(loaded.value, { logger: silent }), hung]);
    clearTimeout(timer);
    await gateway.close();
  }
});

async function withGateway(options: TestGatewayOptions, use: (gateway: TestGateway) => Promise<void>): Promise<void> {
  const gateway = await startTestGateway(options);
  try {
    await use(gateway);
    expect(JSON.stringify(gateway.log), 'no secret in the log').not.toContain(gateway.keys.alice);
  } finally {
    await gateway.close();
  }
}

async function withIssuer(
  broken: { metadata?: Breakage; keys?: Breakage },
  use: (gateway: TestGateway, token: string) => Promise<void>,
): Promise<void> {
  const issuer = await startBrokenIssuer(broken);
  try {
    await withGateway({ yaml: `  issuers: [{ issuer: "${issuer.url}" }]\n${server()}` }, async (gateway) =>
      use(gateway, await issuer.token(`${gateway.url}/servers/files/mcp`)),
    );
  } finally {
    await issuer.close();
  }
}
