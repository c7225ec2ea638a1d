/**
 * What servers depend on, looked at from time to time: a server may be up while the API behind it is down. A probe that fails
 * is repeated once before anybody is told, and no two begin at the same moment.
 */

import { probePermit, isReadOnlyTool } from '../authz/permit.ts';
import { makeIntent } from '../audit/intent.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Config } from '../config/config.ts';
import type { DependencyProbe } from '../config/server-config.ts';
import type { Egress } from '../egress/egress.ts';
import { exchange } from '../egress/exchange.ts';
import { reachTcp } from '../egress/reach-tcp.ts';
import { failureMessage } from '../model/failure.ts';
import type { Outcome } from '../model/outcome.ts';
import { NEWEST_MODERN } from '../model/revision.ts';
import type { ServerId } from '../model/target.ts';
import { SALLYPORT } from '../protocol/identity.ts';
import { systemClock } from '../upstream/clock.ts';
import { errorOf } from '../upstream/attempt.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import type { Dependencies, DependencyState } from './dependencies.ts';

export type ServerDependenciesParts = {
  readonly config: Pick<Config, 'servers'>;
  readonly dependencies: Dependencies;
  readonly egress: Egress;
  readonly upstreams: Pick<Upstreams, 'send'>;
  readonly catalog: () => Catalog;
  readonly newId: () => string;
  /** From 0 to below 1: scatters the probes. */
  readonly random: () => number;
};

export interface ServerDependencies {
  /** Names of what does not answer. */
  away(server: ServerId): readonly string[];
  close(): void;
}

const MAX_ANSWER_BYTES = 64 * 1024;
const MAX_REASON = 300;
const AGAIN_MS = 1_000;

type Watched = { readonly server: ServerId; readonly probe: DependencyProbe };

export function watchServerDependencies(parts: ServerDependenciesParts): ServerDependencies {
  const away = new Map<ServerId, Set<string>>();
  const closing = new AbortController();
  const timers = new Set<() => void>();
  const later = (delayMs: number, task: () => void): void => {
    const cancel = systemClock.after(delayMs, () => {
      timers.delete(cancel);
      task();
    });
    timers.add(cancel);
  };

  const told = ({ server, probe: { name } }: Watched, { up, reason }: DependencyState): void => {
    const ofServer = away.get(server) ?? new Set<string>();
    if (up) ofServer.delete(name);
    else ofServer.add(name);
    away.set(server, ofServer);
    parts.dependencies.report(`${server}/${name}`, 'server', up, reason?.slice(0, MAX_REASON));
  };

  const look = async (watched: Watched, failedBefore: boolean): Promise<void> => {
    const state = await probed(watched, parts, closing.signal);
    if (closing.signal.aborted) return;
    if (!state.up && !failedBefore) return later(AGAIN_MS, () => void look(watched, true));
    told(watched, state);
    later(watched.probe.everyMs * (0.75 + parts.random() / 2), () => void look(watched, false));
  };

  for (const { id, dependsOn } of parts.config.servers) {
    for (const probe of dependsOn) later(parts.random() * AGAIN_MS, () => void look({ server: id, probe }, false));
  }
  return {
    away: (server) => [...(away.get(server) ?? [])],
    close() {
      closing.abort();
      for (const cancel of timers) cancel();
    },
  };
}

async function probed(
  watched: Watched,
  parts: ServerDependenciesParts,
  closing: AbortSignal,
): Promise<DependencyState> {
  const { timeoutMs, way } = watched.probe;
  const timeout = new AbortController();
  const cancel = systemClock.after(timeoutMs, () =>
    timeout.abort(new Error(`It did not answer within ${timeoutMs / 1000} s.`)),
  );
  const signal = AbortSignal.any([timeout.signal, closing]);
  try {
    switch (way.kind) {
      case 'url':
        return await probeUrl(new URL(way.url), parts.egress, signal);
      case 'tcp':
        await reachTcp(way, signal);
        return { up: true };
      case 'tool':
        return await probeTool({ ...way, server: watched.server, timeoutMs }, parts, signal);
      default:
        return way satisfies never;
    }
  } catch (error) {
    return { up: false, reason: error instanceof Error ? error.message : 'It failed without saying why.' };
  } finally {
    cancel();
  }
}

async function probeUrl(url: URL, egress: Egress, signal: AbortSignal): Promise<DependencyState> {
  const headers = ['accept', '*/*', 'accept-encoding', 'identity'];
  const dispatch: Egress['dispatch'] = (...dispatched) => egress.dispatch(...dispatched);
  const attempt = { url, policy: 'configured', maxBytes: MAX_ANSWER_BYTES, signal, method: 'GET', headers } as const;
  const { status } = await exchange(dispatch, attempt);
  return status < 500 ? { up: true } : { up: false, reason: `${url.host} answers with status ${status}.` };
}

type ToolProbe = {
  readonly server: ServerId;
  readonly tool: string;
  readonly arguments: Extract<DependencyProbe['way'], { kind: 'tool' }>['arguments'];
  readonly timeoutMs: number;
};

async function probeTool(
  probe: ToolProbe,
  { upstreams, catalog, newId }: ServerDependenciesParts,
  signal: AbortSignal,
): Promise<DependencyState> {
  const { server, tool: name, timeoutMs } = probe;
  const endpoint = { kind: 'server', server } as const;
  const tool = catalog()
    .list(endpoint, 'tools')
    .find((entry) => entry.name === name);
  if (tool?.kind !== 'tool') return { up: false, reason: `${server} offers no tool ${name}.` };
  if (!isReadOnlyTool(tool)) return { up: false, reason: `The tool ${name} of ${server} is not marked readOnly.` };
  const outcome = await upstreams.send(
    {
      requestId: newId(),
      intent: makeIntent(probePermit(tool, probe.arguments)),
      entry: tool,
      client: { era: 'modern', revision: NEWEST_MODERN, capabilities: {}, address: '', info: SALLYPORT },
      meta: { vendor: {} },
    },
    { channel: { wantsProgress: false, notify: () => undefined }, signal, timeoutMs },
  );
  return stateOf(name, outcome);
}

function stateOf(name: string, outcome: Outcome): DependencyState {
  if (outcome.kind === 'failed') return { up: false, reason: failureMessage(outcome.failure) };
  if (outcome.kind !== 'complete') return { up: false, reason: `${name} asks something, so it cannot be a probe.` };
  return errorOf(outcome).errorType === undefined
    ? { up: true }
    : { up: false, reason: `${name} says that it failed.` };
}
