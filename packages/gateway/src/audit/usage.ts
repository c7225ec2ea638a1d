/**
 * What was used, counted from the record: how often, by how many, how fast, how much came back, and what it saved. An
 * invocation is a tool call that policy, limits and arguments let through, whatever became of it; what was refused stands
 * beside it. Lists, pings and questions of administration are none.
 */

import type { UsageBy } from '../model/administration.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Month } from '../model/month.ts';
import { DistinctCount, DistinctNames, type Distinct } from './distinct.ts';
import { DurationSketch } from './duration-sketch.ts';

export type UsageRow = {
  /** A server, `server/tool`, or a user. */
  readonly name: string;
  readonly invocations: number;
  /** Of these: the tool said that it failed, or the server did. */
  readonly errors: number;
  /** `errors` of `invocations`, from 0 to 1. */
  readonly errorRate: number;
  /** Not among the invocations. */
  readonly refused: number;
  readonly users: Distinct;
  readonly clients: Distinct;
  readonly p50Ms?: number;
  readonly p95Ms?: number;
  readonly p99Ms?: number;
  readonly resultBytes: number;
  /** Estimated: 4.5 characters each. */
  readonly resultTokens: number;
  readonly minutesSaved: number;
};

export type UsageReport = {
  readonly month: string;
  readonly by: UsageBy;
  /** Whose; absent: everyone's. */
  readonly tenant?: string;
  /** The most used first. */
  readonly rows: readonly UsageRow[];
  readonly total: UsageRow;
};

export type UsageCount = {
  take(line: string): void;
  report(): UsageReport;
};

export type UsageAsked = { readonly month: Month; readonly by: UsageBy; readonly tenant?: string };

/** More are counted together: a client can make up neither servers nor tools, but an organisation has many users. */
const MAX_ROWS = 5_000;
const OTHERS = '(others)';
/** Refused before it was known what it was about. */
const UNKNOWN = '(unknown)';

const CHARACTERS_PER_TOKEN = 4.5;

export function createUsageCount({ month, by, tenant }: UsageAsked): UsageCount {
  const names = new DistinctNames();
  const rows = new Map<string, Row>();
  const total = new Row('total', names);

  const rowOf = (call: Call): Row => {
    const key = by === 'user' ? call.user : call[by];
    const known = rows.get(key);
    if (known !== undefined) return known;
    if (rows.size >= MAX_ROWS && key !== OTHERS) return rowOf({ ...call, user: OTHERS, server: OTHERS, tool: OTHERS });
    const row = new Row(by === 'user' ? call.userName : key, names);
    rows.set(key, row);
    return row;
  };

  return {
    take(line) {
      const call = callOf(line);
      if (call === undefined || call.timeMs < month.sinceMs || call.timeMs >= month.untilMs) return;
      if (tenant !== undefined && (tenant === '' || call.tenant !== tenant)) return;
      rowOf(call).take(call);
      total.take(call);
    },
    report: () => ({
      month: month.name,
      by,
      ...(tenant === undefined ? {} : { tenant }),
      rows: [...rows.values()]
        .map((row) => row.told())
        .toSorted((a, b) => b.invocations - a.invocations || b.refused - a.refused || (a.name < b.name ? -1 : 1)),
      total: total.told(),
    }),
  };
}

class Row {
  readonly #name: string;
  readonly #users: DistinctCount;
  readonly #clients: DistinctCount;
  readonly #durations = new DurationSketch();
  #invocations = 0;
  #errors = 0;
  #refused = 0;
  #resultBytes = 0;
  #minutesSaved = 0;

  constructor(name: string, names: DistinctNames) {
    this.#name = name;
    this.#users = new DistinctCount(names);
    this.#clients = new DistinctCount(names);
  }

  take(call: Call): void {
    if (call.became === 'refused') {
      this.#refused += 1;
      return;
    }
    this.#invocations += 1;
    if (call.became === 'error') this.#errors += 1;
    this.#durations.add(call.durationMs);
    this.#resultBytes += call.resultBytes;
    this.#minutesSaved += call.minutesSaved;
    this.#users.add(`u ${call.user}`);
    if (call.client !== '') this.#clients.add(`c ${call.client}`);
  }

  told(): UsageRow {
    const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((share) => this.#durations.percentile(share));
    return {
      name: this.#name,
      invocations: this.#invocations,
      errors: this.#errors,
      errorRate: this.#invocations === 0 ? 0 : rounded(this.#errors / this.#invocations, 6),
      refused: this.#refused,
      users: this.#users.value,
      clients: this.#clients.value,
      ...(p50Ms === undefined ? {} : { p50Ms }),
      ...(p95Ms === undefined ? {} : { p95Ms }),
      ...(p99Ms === undefined ? {} : { p99Ms }),
      resultBytes: this.#resultBytes,
      resultTokens: Math.round(this.#resultBytes / CHARACTERS_PER_TOKEN),
      minutesSaved: rounded(this.#minutesSaved, 3),
    };
  }
}

/** A sum of many fractions shows what floating point makes of it. */
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));

type Call = {
  readonly timeMs: number;
  readonly tenant: string;
  readonly server: string;
  readonly tool: string;
  /** One of a kind: tenant, issuer and subject. */
  readonly user: string;
  readonly userName: string;
  readonly client: string;
  readonly became: 'ok' | 'error' | 'refused';
  readonly durationMs: number;
  readonly resultBytes: number;
  readonly minutesSaved: number;
};

/** What stands in every record of a finished tool call: other lines need not be parsed. */
const MARKS = ['"operation":"tools/call"', '"event":"outcome"'];

/** Undefined for what is no finished tool call. A call that ends in a question is made again, and counted then. */
function callOf(line: string): Call | undefined {
  if (!MARKS.every((mark) => line.includes(mark))) return undefined;
  const record = parsed(line);
  const { metadata, unmapped, api, actor, resources, ai_agent: agent } = record;
  const { event, outcome, result_bytes: bytes, minutes_saved: minutes, sent, claimed } = objectOf(unmapped);
  const became = BECAME[textOf(outcome)];
  if (event !== 'outcome' || objectOf(api).operation !== 'tools/call' || became === undefined) return undefined;
  const [resource] = Array.isArray(resources) ? resources : [];
  const { uid, type } = objectOf(resource);
  const isTool = type === 'tool';
  const tenant = textOf(objectOf(metadata).tenant_uid);
  const { user, userName } = userOf(objectOf(actor), tenant);
  const uidOfAgent = textOf(objectOf(agent).uid);
  const claims = textOf(objectOf(claimed).client_name);
  return {
    timeMs: numberOf(record.time),
    tenant,
    server: isTool ? textOf(objectOf(objectOf(api).service).name) : UNKNOWN,
    tool: isTool ? textOf(uid) : UNKNOWN,
    user,
    userName,
    client: uidOfAgent === '' ? claims && `claimed ${claims}` : `agent ${uidOfAgent}`,
    // Cancelled by its caller after it had left: a call, and nobody's error.
    became: became === 'refused' && record.status_code === 'cancelled' && sent !== 'no' ? 'ok' : became,
    durationMs: numberOf(record.duration),
    resultBytes: numberOf(bytes),
    minutesSaved: numberOf(minutes),
  };
}

const BECAME: Readonly<Record<string, Call['became']>> = {
  ok: 'ok',
  tool_error: 'error',
  failed: 'error',
  refused: 'refused',
};

const NOBODY = '(unauthenticated)';

function userOf({ user, idp }: JsonObject, tenant: string): Pick<Call, 'user' | 'userName'> {
  const { uid, name } = objectOf(user);
  const subject = textOf(uid);
  if (subject === '') return { user: NOBODY, userName: NOBODY };
  const shown = textOf(name) || subject;
  const userName = tenant === 'default' ? shown : `${shown} (${tenant})`;
  return { user: JSON.stringify([tenant, objectOf(idp).uid ?? '', subject]), userName };
}

function parsed(line: string): JsonObject {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : NOTHING;
  } catch {
    return NOTHING;
  }
}

const NOTHING: JsonObject = Object.freeze({});
const objectOf = (value: Json | undefined): JsonObject => (isJsonObject(value) ? value : NOTHING);
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value : '');
const numberOf = (value: Json | undefined): number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : 0;
