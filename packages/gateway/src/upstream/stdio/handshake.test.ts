import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Failure } from '../../model/failure.ts';
import { call, connectorFor, endAll, FIXTURES, refusalOf, scripted, toolText } from '../testing/stdio-servers.ts';
import { NO_CREDENTIAL, sendOptions, testCall } from '../testing/test-kit.ts';
import { liveGroupIds } from './live-groups.ts';
import type { StdioLimits } from './stdio-connector.ts';

afterEach(endAll);

describe('finding the era of a server process', () => {
  it('speaks the modern revision to a server of the official SDK that knows it', async () => {
    const upstream = await connectorFor([path.join(FIXTURES, 'modern-server.ts')]).connect();
    expect(upstream).toMatchObject({ era: 'modern', revision: '2026-07-28', transport: 'stdio' });
    const outcome = await upstream.send(
      testCall({ kind: 'call-tool', name: 'add', arguments: { a: 2, b: 3 } }),
      sendOptions(),
    );
    expect(await toolText(outcome)).toBe('5');
  });

  it.each(['serve', 'reject'])('finds a modern server that is slow to start (initialize: %s)', async (legacy) => {
    const { connect } = connectorFor([path.join(FIXTURES, 'modern-server.ts'), legacy], {
      limits: { probeTimeoutMs: 1 },
    });
    const upstream = await connect();
    expect(upstream.era).toBe('modern');
    const sum = upstream.send(testCall({ kind: 'call-tool', name: 'add', arguments: { a: 2, b: 3 } }), sendOptions());
    expect(await toolText(sum)).toBe('5');
  });

  const LEGACY: readonly (readonly [string, readonly string[], Partial<StdioLimits>])[] = [
    ['answers the probe with an error', [], {}],
    ['dies on the probe', ['dies-on-probe'], {}],
    ['does not answer the probe', ['ignores-probe'], { probeTimeoutMs: 50 }],
    ['prints a banner first', ['chatty'], {}],
    ['chooses 2024-11-05', ['oldest'], {}],
  ];
  it.each(LEGACY)('opens a legacy server that %s', async (_how, behaviours, limits) => {
    const { connect, processStarted } = scripted(behaviours, { limits });
    const upstream = await connect();
    expect(upstream.era).toBe('legacy');
    expect(await toolText(call(upstream, 'echo', { text: 'hello' }))).toBe('hello');
    expect(processStarted).toHaveBeenCalledExactlyOnceWith('files', 'cold', expect.any(Number));
    expect(liveGroupIds()).toHaveLength(1);
  });

  it('remembers a legacy server, so that the next process is not probed', async () => {
    const { connect, log } = scripted(['dies-on-probe']);
    await connect();
    const before = log.lines.length;
    const upstream = await connect();
    expect(log.lines.slice(before)).toEqual([]);
    // initialize, initialized and this call: no probe.
    expect(await toolText(call(upstream, 'received'))).toBe('3');
  });

  it('probes again when what it remembers is too old', async () => {
    const { connect } = scripted([], { limits: { maxVerdictAgeMs: 0 } });
    await connect();
    expect(await toolText(call(await connect(), 'received'))).toBe('4');
  });

  it('finds the era again when the program behind the command was replaced', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'sallyport-'));
    try {
      const script = path.join(folder, 'server.mjs');
      const run = (file: string): string => `await import(${JSON.stringify(path.join(FIXTURES, file))});`;
      await writeFile(script, run('scripted-server.ts'));
      const { connect } = connectorFor([script]);
      expect((await connect()).era).toBe('legacy');
      await writeFile(
        script,
        `import { createInterface } from 'node:readline';
         const answers = { 'server/discover': { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {}, ttlMs: 0, cacheScope: 'private' } };
         createInterface({ input: process.stdin }).on('line', (line) => {
           const { id, method } = JSON.parse(line);
           const result = answers[method];
           const rest = result ? { result } : { error: { code: -32022, message: 'No.', data: { supported: ['2026-07-28'] } } };
           console.log(JSON.stringify({ jsonrpc: '2.0', id, ...rest }));
         });`,
      );
      expect((await connect()).era).toBe('modern');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a server that does not start', () => {
  type Failing = { readonly limits?: Partial<StdioLimits>; readonly code: Failure['code']; readonly message: string };
  const FAILING: readonly (readonly [string, string, Failing])[] = [
    [
      'dies at once',
      'dies-at-start',
      {
        code: 'server-unavailable',
        message: 'exited with code 1. Its last words: "FATAL: the database is on fire".',
      },
    ],
    [
      'refuses initialize',
      'refuses-initialize',
      { code: 'upstream-invalid', message: 'refused the handshake with error -32603: "No licence."' },
    ],
    [
      'says nothing',
      'hangs',
      {
        limits: { startTimeoutMs: 300, probeTimeoutMs: 100 },
        code: 'upstream-timeout',
        message: 'did not answer initialize within 300 ms',
      },
    ],
  ];
  it.each(FAILING)('is refused with the reason when it %s', async (_how, behaviour, { limits = {}, code, message }) => {
    const failure = await refusalOf(scripted([behaviour], { limits }).connect());
    expect(failure).toMatchObject({ code, sent: 'no', message: expect.stringContaining(message) });
    expect(failure.message).toContain('The server files did not start.');
    expect(liveGroupIds()).toEqual([]);
  });

  it('is refused with the reason when there is no such program', async () => {
    const failure = await refusalOf(scripted([], { command: 'no-such-program-anywhere' }).connect());
    expect(failure).toMatchObject({
      code: 'server-unavailable',
      message: expect.stringContaining('"no-such-program-anywhere" could not be started: there is no such program'),
    });
  });

  it('leaves no process when whoever asked for it stops waiting', async () => {
    const leaving = new AbortController();
    const refused = refusalOf(scripted(['hangs']).connect(NO_CREDENTIAL, leaving.signal));
    leaving.abort();
    expect(await refused).toMatchObject({ code: 'cancelled' });
    expect(liveGroupIds()).toEqual([]);
  });
});
