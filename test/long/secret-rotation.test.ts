/**
 * A secret is changed again and again under load, in a file, behind a command and in an OpenBao. The server takes old and new
 * for an overlap and then only the new one; the last time there is no overlap. No call may fail.
 */

import { renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { startGuardedServer, type GuardedServer } from '../fixtures/guarded-http.ts';
import { startGatewayProcess, type GatewayProcess } from '../harness/gateway-process.ts';
import { bearer, modern, send } from '../harness/http.ts';
import { NO_OPENBAO, startOpenBao, type TestOpenBao } from '../harness/openbao.ts';
import { until } from '../harness/until.ts';

const ROTATIONS = 6;
const CALLERS = 24;
const WORK_MS = 25;

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).toReversed()) await one.close();
});

type Load = { readonly calls: number; readonly failed: readonly string[]; stop(): Promise<void> };

/** Callers that call again as soon as they are answered. */
function startLoad({ url, config }: GatewayProcess): Load {
  const failed: string[] = [];
  let calls = 0;
  const stopping = new AbortController();
  const caller = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { headers, body } = modern('tools/call', { name: 'work', arguments: {} });
      const answer = await send(`${url}/servers/it/mcp`, {
        body,
        headers: { ...headers, ...bearer(config.keys['alice'] ?? '') },
      });
      calls += 1;
      if (answer.json?.result === undefined) failed.push(`${answer.status} ${answer.text}`);
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  return {
    get calls() {
      return calls;
    },
    failed,
    async stop() {
      stopping.abort();
      await Promise.all(callers);
    },
  };
}

type Place = {
  readonly reference: string;
  readonly settings: string;
  change(gateway: GatewayProcess, value: string): Promise<void>;
};

/** Whole or not at all, as every writer of secrets does it. */
function replaceFile(gateway: GatewayProcess, name: string, text: string): void {
  const file = path.join(gateway.config.directory, name);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file);
}

const SCRIPT = "process.stdout.write(require('fs').readFileSync('./token'))";

const inFile: Place = {
  reference: 'file:./token',
  settings: '',
  change: (gateway, value) => Promise.resolve(replaceFile(gateway, 'token', value)),
};

const behindCommand: Place = {
  reference: 'exec:print',
  settings: `secrets: { exec: { print: { command: ["${process.execPath}", "-e", "${SCRIPT}"], cache: 500ms } } }`,
  change: (gateway, value) => Promise.resolve(replaceFile(gateway, 'token', value)),
};

const inVault = (bao: TestOpenBao): Place => ({
  reference: 'vault:secret/data/it#token',
  settings: `secrets: { vault: { address: "${bao.url}", auth: { method: token, token: "file:./root" }, cache: 500ms } }`,
  change: async (_, value) => void (await bao.ask('POST', 'secret/data/it', { data: { token: value } })),
});

async function rotateUnderLoad(place: Place, prepare: (first: string) => Promise<void>): Promise<void> {
  const first = 'token-0';
  const upstream = await startGuardedServer(first, WORK_MS);
  closing.push(upstream);
  await prepare(first);
  const gateway = await startGatewayProcess({
    files: { token: first, root: 'root-of-a-test' },
    yaml: [
      place.settings,
      'loopBreaker: off',
      'servers:',
      `  it: { url: "${upstream.url}", retries: 0, breaker: off, headers: { Authorization: "Bearer ${place.reference}" }, allow: [{ anyone: true, tools: ["*"] }] }`,
    ].join('\n'),
  });
  closing.push(gateway);
  const load = startLoad(gateway);
  await servedWith(upstream, first);
  for (let rotation = 1; rotation <= ROTATIONS; rotation += 1) {
    const next = `token-${rotation}`;
    upstream.accepts.add(next);
    await place.change(gateway, next);
    await servedWith(upstream, next);
    await notServedWith(upstream, `token-${rotation - 1}`);
    upstream.accepts.delete(`token-${rotation - 1}`);
  }
  // What was looked at lately is not asked again at once; a rotation has minutes between.
  await new Promise((resolve) => setTimeout(resolve, 5_500));
  const refusedWithOverlap = upstream.refused;
  await place.change(gateway, 'token-last');
  upstream.accepts.clear();
  upstream.accepts.add('token-last');
  await servedWith(upstream, 'token-last');
  await load.stop();
  console.log(
    `${place.reference}: ${load.calls} calls, ${ROTATIONS + 1} rotations, ${load.failed.length} failed; ` +
      `refused by the server in the last one: ${upstream.refused - refusedWithOverlap}`,
  );
  expect(load.failed.slice(0, 3)).toEqual([]);
  expect(refusedWithOverlap).toBe(0);
  expect(load.calls).toBeGreaterThan(500);
}

const servedWith = (upstream: GuardedServer, token: string): Promise<unknown> =>
  until(`calls with ${token}`, () => (upstream.served.get(token) ?? 0) > CALLERS, 60_000);

/** All that was begun with it has ended. */
const notServedWith = (upstream: GuardedServer, token: string): Promise<unknown> =>
  until(
    `the end of calls with ${token}`,
    async () => {
      const before = upstream.served.get(token);
      await new Promise((resolve) => setTimeout(resolve, 20 * WORK_MS));
      return upstream.served.get(token) === before;
    },
    60_000,
  );

describe('a secret that is changed under load loses no call', () => {
  const nothing = (): Promise<void> => Promise.resolve();

  it('in a file', () => rotateUnderLoad(inFile, nothing));

  it('behind a command', () => rotateUnderLoad(behindCommand, nothing));

  it.skipIf(NO_OPENBAO !== undefined)('in an OpenBao', async () => {
    const bao = await startOpenBao();
    closing.push(bao);
    await rotateUnderLoad(inVault(bao), async (first) => {
      await bao.ask('POST', 'secret/data/it', { data: { token: first } });
    });
  });
});
