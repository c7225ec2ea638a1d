/** What `/live` of a running gateway says, read back; of a neighbouring version, as far as it says the same. */

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';

export type LiveNow = {
  readonly atMs: number;
  readonly requests: number;
  readonly awaitingApproval: number;
  readonly connections: number;
  readonly streams: number;
  readonly sessions: number;
  readonly openQuestions: number;
  readonly parkedCalls: number;
  readonly byUser: readonly Counted[];
  readonly byServer: readonly Counted[];
  readonly byClient: readonly Counted[];
  readonly oldest: readonly OldCall[];
  readonly history: readonly number[];
  readonly last10s: readonly ToolRate[];
  readonly last60s: readonly ToolRate[];
  readonly servers: readonly ServerNow[];
};

export type Counted = { readonly name: string; readonly count: number };
export type OldCall = {
  readonly what: string;
  readonly who: string;
  readonly client: string;
  readonly step: string;
  readonly forMs: number;
};
export type ToolRate = {
  readonly server: string;
  readonly tool: string;
  readonly calls: number;
  readonly errors: number;
  readonly refused: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p95Ms: number;
};
export type ServerNow = {
  readonly id: string;
  readonly state: string;
  readonly sinceMs: number;
  readonly reason: string;
};

export function readLive(live: JsonObject): LiveNow {
  const flight = isJsonObject(live['inFlight']) ? live['inFlight'] : {};
  return {
    atMs: numberOf(live['atMs']),
    requests: numberOf(flight['requests']),
    awaitingApproval: numberOf(flight['awaitingApproval']),
    connections: numberOf(live['connections']),
    streams: numberOf(live['streams']),
    sessions: numberOf(live['sessions']),
    openQuestions: numberOf(live['openQuestions']),
    parkedCalls: numberOf(live['parkedCalls']),
    byUser: listOf(flight['byUser']).map(countedOf),
    byServer: listOf(flight['byServer']).map(countedOf),
    byClient: listOf(flight['byClient']).map(countedOf),
    oldest: listOf(flight['oldest']).map((one) => ({
      what: textOf(one['what']),
      who: textOf(one['who']),
      client: textOf(one['client']),
      step: textOf(one['step']),
      forMs: numberOf(one['forMs']),
    })),
    history: (Array.isArray(live['history']) ? live['history'] : []).map(numberOf),
    last10s: listOf(live['last10s']).map(rateOf),
    last60s: listOf(live['last60s']).map(rateOf),
    servers: listOf(live['servers']).map((one) => ({
      id: textOf(one['id']),
      state: textOf(one['state']),
      sinceMs: numberOf(one['sinceMs']),
      reason: textOf(one['reason']),
    })),
  };
}

const countedOf = (one: JsonObject): Counted => ({ name: textOf(one['name']), count: numberOf(one['count']) });

const rateOf = (one: JsonObject): ToolRate => ({
  server: textOf(one['server']),
  tool: textOf(one['tool']),
  calls: numberOf(one['calls']),
  errors: numberOf(one['errors']),
  refused: numberOf(one['refused']),
  perSecond: numberOf(one['perSecond']),
  p50Ms: numberOf(one['p50Ms']),
  p95Ms: numberOf(one['p95Ms']),
});

const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const numberOf = (value: Json | undefined): number => (typeof value === 'number' ? value : 0);
const listOf = (value: Json | undefined): readonly JsonObject[] =>
  Array.isArray(value) ? value.filter(isJsonObject) : [];
