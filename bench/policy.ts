/**
 * `npm run bench -- --policy`: what policy costs, in one process and without a network. CPU of a decision that is remembered
 * and of one whose arguments are examined, each with 10 and with 1,000 policies, and the longest that a list of 500 tools
 * holds the event loop. Bounds of the design stand beside the figures; this is a measurement, not a test.
 */

import { hash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { setImmediate as yieldNow } from 'node:timers/promises';

import {
  createAuthorizer,
  DEFAULT_AUTHORIZER_LIMITS,
  type AuthorizerOptions,
  type CedarAuthorizer,
} from '../packages/gateway/src/authz/cedar-authorizer.ts';
import { describeProblem } from '../packages/gateway/src/authz/policy-problem.ts';
import { somebody } from '../packages/gateway/src/model/principal.fixture.ts';
import type { Principal } from '../packages/gateway/src/model/principal.ts';
import type { ClientFacts, ResolvedRequest } from '../packages/gateway/src/model/request.ts';
import { UNKNOWN_TRAITS, type ToolEntry } from '../packages/gateway/src/model/target.ts';

export type PolicyRow = {
  readonly what: string;
  readonly policies: number;
  readonly figure: number;
  readonly unit: 'us' | 'ms';
  readonly bound?: number;
};

const TOOLS = 500;
const SERVERS = 50;
const ROUNDS = 9;
const HOLD_ROUNDS = 6;

const CLIENT: ClientFacts = { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '127.0.0.1' };

const SCHEMA = {
  type: 'object',
  properties: { amount: { type: 'number' }, to: { type: 'string' }, memo: { type: 'string' } },
} as const;

const ARGUMENTS = { amount: 12.5, to: 'DE02120300000000202051', memo: 'an invoice, and what it is for' };

const EXAMINES = `@id("limit") forbid (principal, action == Action::"callTool", resource)
  when { context.arguments.amount.greaterThan(decimal("100.0")) };`;

/** As an installation writes them: most about one server and one group, a few about everything. */
const scoped = (count: number): string =>
  Array.from({ length: count - 2 }, (_, index) => {
    const who = `principal in Group::"group-${index % 40}"`;
    return `permit (${who}, action, resource in Server::"s${index % SERVERS}") when { resource.risk != "high" };`;
  }).join('\n') +
  `\nforbid (principal, action, resource) when { resource.tags.contains("retired") };` +
  `\npermit (principal in Group::"everyone", action, resource) when { resource.name like "tool-*" };`;

/** The worst: every one speaks of everything, so that none can be put aside by its scope. */
const unscoped = (count: number): string =>
  Array.from(
    { length: count - 1 },
    (_, index) => `permit (principal, action, resource) when { resource.name == "tool-${index}" && !resource.listed };`,
  ).join('\n') + '\npermit (principal, action, resource) when { resource.name like "tool-*" };';

const person = (name: string): Principal => somebody(name, { groups: ['everyone', 'group-1', 'group-2'] });

const tools: readonly ToolEntry[] = Array.from({ length: TOOLS }, (_, index) => {
  const name = `tool-${index}`;
  const server = { id: `s${index % SERVERS}`, version: '1', sharing: 'shared' } as const;
  return {
    kind: 'tool',
    server,
    name,
    aggregateName: `${server.id}_${name}`,
    definition: { name },
    text: JSON.stringify({ name }),
    hash: '',
    traits: UNKNOWN_TRAITS,
    inputSchema: SCHEMA,
  };
});

type Clock = Pick<AuthorizerOptions, 'monotonic' | 'yieldNow'>;

const CLOCK: Clock = { monotonic: () => performance.now(), yieldNow: () => yieldNow() };

function authorizer(text: string, clock: Clock = CLOCK): CedarAuthorizer {
  const made = createAuthorizer({
    policies: [{ file: 'bench.cedar', text }],
    shorthand: [],
    clock: Date.now,
    ...clock,
    digest: (given) => hash('sha256', given),
  });
  if (!made.ok) throw new Error(made.error.map(describeProblem).join('\n'));
  return made.value;
}

function requestFor(principal: Principal, entry: ToolEntry): ResolvedRequest {
  const endpoint = { kind: 'server', server: entry.server.id } as const;
  return {
    id: 'bench',
    receivedAtMs: 0,
    startedMs: 0,
    endpoint,
    principal,
    client: CLIENT,
    operation: { kind: 'call-tool', name: entry.name, arguments: ARGUMENTS },
    meta: { vendor: {} },
    sealedFor: [],
    target: { endpoint, entries: [entry] },
  };
}

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? Number.NaN;

/** CPU of this process per decision, in turns over 20 tools: the median of several rounds. */
function cpuPerDecision(text: string, decisions: number): number {
  const asked = authorizer(text);
  const alice = person('alice');
  const requests = tools.slice(0, 20).map((entry) => requestFor(alice, entry));
  const round = (): number => {
    const before = process.cpuUsage();
    for (let index = 0; index < decisions; index++) {
      const request = requests[index % requests.length];
      if (request === undefined || asked.authorize(request).effect !== 'allow') throw new Error('the bench was denied');
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / decisions;
  };
  round();
  return median(Array.from({ length: ROUNDS }, round));
}

/**
 * The longest that a caller who was never seen can hold the event loop by listing 500 tools: the time after which a list gives
 * way, and its longest step, since it looks at the clock between two. Each step counts at its fastest of several rounds,
 * because by the clock the other processes of a busy machine would be measured; each round begins with nothing remembered.
 */
async function longestHold(text: string): Promise<number> {
  const fastest: number[] = [];
  for (let round = 0; round < HOLD_ROUNDS; round++) {
    let step = 0;
    let last: number | undefined;
    const asked = authorizer(text, {
      monotonic: () => {
        const now = performance.now();
        if (last !== undefined) fastest[step] = Math.min(now - last, fastest[step] ?? Infinity);
        if (last !== undefined) step++;
        last = now;
        return now;
      },
      yieldNow: () => {
        last = undefined;
        return yieldNow();
      },
    });
    const admitted = await asked.admitAll({ principal: person('alice'), client: CLIENT }, tools);
    if (!admitted.every(Boolean)) throw new Error('the bench was denied');
  }
  return DEFAULT_AUTHORIZER_LIMITS.maxSliceMs + Math.max(...fastest);
}

export async function measurePolicy(): Promise<readonly PolicyRow[]> {
  const rows: PolicyRow[] = [];
  for (const policies of [10, 1_000]) {
    const cached = cpuPerDecision(scoped(policies), 200_000);
    rows.push({ what: 'decision, remembered', policies, figure: cached, unit: 'us', bound: 3 });
  }
  for (const policies of [10, 1_000]) {
    const examined = cpuPerDecision(`${scoped(policies - 1)}\n${EXAMINES}`, 3_000);
    rows.push({ what: 'decision, arguments examined', policies, figure: examined, unit: 'us', bound: 200 });
  }
  const worst = cpuPerDecision(`${unscoped(999)}\n${EXAMINES}`, 3_000);
  rows.push({
    what: 'decision, arguments examined, no scopes',
    policies: 1_000,
    figure: worst,
    unit: 'us',
    bound: 200,
  });
  for (const [what, make] of [
    ['list of 500 tools, longest hold', scoped],
    ['list of 500 tools, longest hold, no scopes', unscoped],
  ] as const) {
    for (const policies of [10, 1_000]) {
      rows.push({ what, policies, figure: await longestHold(make(policies)), unit: 'ms', bound: 5 });
    }
  }
  return rows;
}

export function policyTable(rows: readonly PolicyRow[]): string {
  const line = ({ what, policies, figure, unit, bound }: PolicyRow): string =>
    `| ${what.padEnd(44)} | ${String(policies).padStart(8)} | ${figure.toFixed(2).padStart(8)} ${unit} | ` +
    `${(bound === undefined ? '' : `${bound} ${unit}`).padStart(8)} |`;
  return [
    `| ${'policy'.padEnd(44)} | policies |    measured |    bound |`,
    `| ${'-'.repeat(44)} | -------: | ----------: | -------: |`,
    ...rows.map(line),
  ].join('\n');
}
