/** For the tests of this folder: time that stands still, upstreams that do what they are told, and calls with a cast permit. */

import { somebody } from '../../model/principal.fixture.ts';
import type { Principal } from '../../model/principal.ts';
import type { Call, SendOptions } from '../../model/call.ts';
import type { Intent } from '../../model/decision.ts';
import type { Operation } from '../../model/operation.ts';
import type { ClientChannel, Notice, Outcome } from '../../model/outcome.ts';
import type { ClientFacts } from '../../model/request.ts';
import { UNKNOWN_TRAITS } from '../../model/target.ts';
import type { Entry, Server, ServerEntry } from '../../model/target.ts';
import type { Credential } from '../../credential/broker.ts';
import type { LogFields, Logger } from '../../telemetry/logger.ts';
import type { Clock } from '../clock.ts';
import type { Connector, Upstream } from '../connector.ts';
import { NOTHING_TOLD } from '../listen-filter.ts';
import { DEFAULT_PARKING } from '../parking.ts';

export type ManualClock = Clock & { advance(ms: number): Promise<void> };

/** Lets everything that is ready to run, run. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export function manualClock(): ManualClock {
  let nowMs = 0;
  const waiting = new Set<{ readonly atMs: number; readonly callback: () => void }>();
  return {
    nowMs: () => nowMs,
    after(ms, callback) {
      const entry = { atMs: nowMs + ms, callback };
      waiting.add(entry);
      return () => waiting.delete(entry);
    },
    async advance(ms) {
      const untilMs = nowMs + ms;
      for (;;) {
        await settle();
        const [next] = [...waiting].filter(({ atMs }) => atMs <= untilMs).toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined) break;
        waiting.delete(next);
        nowMs = Math.max(nowMs, next.atMs);
        next.callback();
      }
      nowMs = untilMs;
    },
  };
}

/** For upstreams whose calls are not parked, or briefly. */
export const PARKING = { replica: 'here', limits: DEFAULT_PARKING, newId: () => Math.random().toString(36) };

/** For upstreams that nobody listens to. */
export const FEEDS = { ownPrincipal: somebody('gateway'), maxFeeds: 8, listChanged: (): void => undefined };

export const OK: Outcome = { kind: 'complete', result: { kind: 'value', value: { content: [] } } };

export type ToyUpstream = Upstream & {
  readonly closed: boolean;
  /** Ends as a process that dies does. */
  die(): void;
};

export function toyUpstream(send: Upstream['send'] = () => Promise.resolve(OK)): ToyUpstream {
  const { promise: ended, resolve: die } = Promise.withResolvers<void>();
  let closed = false;
  return {
    era: 'modern',
    revision: '2026-07-28',
    transport: 'stdio',
    reached: { revision: '2026-07-28', transport: 'stdio' },
    send,
    openFeed: () => ({ want: () => Promise.resolve(NOTHING_TOLD), ended, close: () => undefined }),
    ended,
    die,
    get closed() {
      return closed;
    },
    close() {
      closed = true;
      die();
      return Promise.resolve();
    },
  };
}

/** A connector whose connects are counted and end as `connect` says. */
export function toyConnector(
  connect: (signal: AbortSignal) => Promise<Upstream>,
): Connector & { readonly connects: number } {
  let connects = 0;
  return {
    place: { transport: 'pipe' },
    get connects() {
      return connects;
    },
    connect(_server, _credential, signal) {
      connects += 1;
      return connect(signal);
    },
  };
}

export const NO_CREDENTIAL: Credential = { kind: 'none', version: 'none', headers: {}, env: {} };

export function testServer(over: Partial<Server> = {}): Server {
  return { id: 'files', version: 'v1', sharing: 'shared', ...over };
}

const entryBase = (server: Server, name: string): Omit<ServerEntry, 'kind'> => ({
  server,
  name,
  aggregateName: `${server.id}_${name}`,
  definition: {},
  text: '{}',
  hash: '',
  traits: UNKNOWN_TRAITS,
});

const CLIENT: ClientFacts = {
  era: 'modern',
  revision: '2026-07-28',
  info: { name: 'test', version: '1' },
  capabilities: {},
  address: '127.0.0.1',
};

export type CallOptions = { readonly server?: Server; readonly principal?: Principal };

export function testCall(
  operation: Operation,
  { server = testServer(), principal = somebody('alice') }: CallOptions = {},
): Call {
  const entry: Entry =
    operation.kind === 'call-tool'
      ? { ...entryBase(server, operation.name), kind: 'tool', inputSchema: { type: 'object' } }
      : { ...entryBase(server, ''), kind: 'server' };
  const target = { endpoint: { kind: 'server', server: server.id }, entries: [entry] };
  // Only `authz` and `audit` make real ones; what is tested here comes after both.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a declared class has no other way in
  const intent = {
    permit: { principal, operation, target, obligations: [], grounds: { policies: [], policyVersion: '', errors: [] } },
  } as unknown as Intent;
  return { requestId: 'test', intent, entry, client: CLIENT, meta: { vendor: {} } };
}

export const callTool = (
  name: string,
  args: Record<string, string | number | boolean> = {},
  options?: CallOptions,
): Call => testCall({ kind: 'call-tool', name, arguments: args }, options);

export type Notices = ClientChannel & { readonly notices: readonly Notice[] };

export function collectNotices(wantsProgress: boolean): Notices {
  const notices: Notice[] = [];
  return {
    wantsProgress,
    notices,
    notify(notice) {
      notices.push(notice);
      return undefined;
    },
  };
}

export function sendOptions(over: Partial<SendOptions> = {}): SendOptions {
  return { channel: collectNotices(false), signal: new AbortController().signal, timeoutMs: 20_000, ...over };
}

export type LoggedLine = { readonly level: string; readonly fields: LogFields; readonly message: string };

export function collectLog(): Logger & { readonly lines: readonly LoggedLine[] } {
  const lines: LoggedLine[] = [];
  const at =
    (level: string) =>
    (fields: LogFields, message: string): void => {
      lines.push({ level, fields, message });
    };
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** The text of a complete result, wherever it is held. */
export async function resultText(outcome: Outcome): Promise<string> {
  if (outcome.kind !== 'complete') return JSON.stringify(outcome);
  if (outcome.result.kind === 'value') return JSON.stringify(outcome.result.value);
  const { head, rest, resultStart, resultEnd } = outcome.result.message;
  if (rest === undefined) return Buffer.from(head.subarray(resultStart, resultEnd)).toString('utf8');
  const chunks = [head];
  for await (const chunk of rest) chunks.push(chunk);
  const message: { readonly result: unknown } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
  return JSON.stringify(message.result);
}
