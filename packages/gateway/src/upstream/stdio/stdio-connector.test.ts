import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Secret } from '../../model/secret.ts';
import { call, connectorFor, endAll, failureOf, scripted, toolText } from '../testing/stdio-servers.ts';
import { NO_CREDENTIAL, sendOptions, testCall } from '../testing/test-kit.ts';

const require = createRequire(import.meta.url);

afterEach(endAll);

describe('a server process that ends', () => {
  it('fails every call in flight, naming the exit code and its last words', async () => {
    const upstream = await scripted().connect({
      ...NO_CREDENTIAL,
      env: { TOKEN: new Secret('s3cr3t-value') },
    });
    const mute = failureOf(call(upstream, 'mute'));
    const crash = failureOf(call(upstream, 'crash'));
    await upstream.ended;
    const expected = {
      code: 'upstream-closed',
      sent: 'maybe',
      message: 'The server process exited with code 7. Its last words: "about to crash, with TOKEN [redacted]".',
    };
    expect(await mute).toMatchObject(expected);
    expect(await crash).toMatchObject(expected);
  });

  it('fails calls with its signal when it was killed', async () => {
    const upstream = await scripted().connect();
    expect(await failureOf(call(upstream, 'killed'))).toMatchObject({
      code: 'upstream-closed',
      message: 'The server process was ended by SIGKILL.',
    });
  });

  it('takes no more calls, and says that nothing was sent', async () => {
    const upstream = await scripted().connect();
    await upstream.close();
    expect(await failureOf(call(upstream, 'echo'))).toMatchObject({ code: 'upstream-closed', sent: 'no' });
  });

  it('is gone after close however stubborn, with all that it started', async () => {
    const upstream = await scripted(['stubborn']).connect();
    const pids = [Number(await toolText(call(upstream, 'pid'))), Number(await toolText(call(upstream, 'descendant')))];
    await upstream.close();
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH');
  });
});

describe('the environment of a server process', () => {
  it('holds what is allowed, what was named and the credential, and nothing else', async () => {
    const upstream = await scripted([], { env: { LOG_LEVEL: 'info', TOKEN: 'not this one' } }).connect({
      ...NO_CREDENTIAL,
      env: { TOKEN: new Secret('from the broker') },
    });
    const environment: Record<string, string> = JSON.parse(await toolText(call(upstream, 'environment')));
    expect(environment).toMatchObject({ LOG_LEVEL: 'info', TOKEN: 'from the broker', PATH: process.env['PATH'] });
    expect(environment).not.toHaveProperty('SECRET_OF_THE_GATEWAY');
  });
});

describe('servers that others wrote', () => {
  const bin = (name: string): string => {
    const manifest = require.resolve(`@modelcontextprotocol/${name}/package.json`);
    return path.join(path.dirname(manifest), 'dist/index.js');
  };

  it('reads a file through @modelcontextprotocol/server-filesystem', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sallyport-'));
    try {
      await writeFile(path.join(folder, 'a.txt'), 'Grüße');
      const upstream = await connectorFor([bin('server-filesystem'), folder]).connect();
      expect(upstream.era).toBe('legacy');
      const outcome = call(upstream, 'read_text_file', { path: path.join(folder, 'a.txt') });
      expect(await toolText(outcome)).toBe('Grüße');
      const discovered = await upstream.send(testCall({ kind: 'discover' }), sendOptions());
      expect(discovered).toMatchObject({ discovery: { serverInfo: { name: 'secure-filesystem-server' } } });
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('reads the graph of @modelcontextprotocol/server-memory', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sallyport-'));
    try {
      const env = { MEMORY_FILE_PATH: path.join(folder, 'memory.json') };
      const upstream = await connectorFor([bin('server-memory')], { env }).connect();
      expect(JSON.parse(await toolText(call(upstream, 'read_graph')))).toEqual({ entities: [], relations: [] });
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
