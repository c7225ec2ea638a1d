/** Entries, callers and requests for the tests of this folder. */

import { createHash } from 'node:crypto';
import type { Principal } from '../model/principal.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { ClientFacts, ResolvedRequest } from '../model/request.ts';
import {
  UNKNOWN_TRAITS,
  type Entry,
  type ResourceEntry,
  type ServerEntry,
  type ToolEntry,
  type Traits,
} from '../model/target.ts';
import { createAuthorizer, type AuthorizerOptions, type CedarAuthorizer } from './cedar-authorizer.ts';
import { describeProblem } from './policy-problem.ts';

export const NOON_MS = Date.UTC(2026, 10, 20, 12);

export const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

export const yieldNow = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

export const optionsFor = (given: Partial<AuthorizerOptions>): AuthorizerOptions => ({
  policies: [],
  shorthand: [],
  clock: () => NOON_MS,
  monotonic: () => performance.now(),
  yieldNow,
  digest,
  ...given,
});

/** An authorizer that must come into being; from Cedar text, or from any options. */
export function authorizerFor(given: string | Partial<AuthorizerOptions>): CedarAuthorizer {
  const created = createAuthorizer(
    optionsFor(typeof given === 'string' ? { policies: [{ file: 'test.cedar', text: given }] } : given),
  );
  if (!created.ok) throw new Error(created.error.map(describeProblem).join('\n'));
  return created.value;
}

/** What is wrong with a text, in words. */
export function problemsOf(given: string | Partial<AuthorizerOptions>): readonly string[] {
  const created = createAuthorizer(
    optionsFor(typeof given === 'string' ? { policies: [{ file: 'test.cedar', text: given }] } : given),
  );
  return created.ok ? [] : created.error.map(describeProblem);
}

export { somebody as principal } from '../model/principal.fixture.ts';

const base = (server: string, name: string, traits: Partial<Traits>) => ({
  server: { id: server, version: '1', owner: 'platform', sharing: 'shared' as const },
  name,
  aggregateName: `${server}_${name}`,
  definition: { name },
  text: JSON.stringify({ name }),
  hash: 'hash',
  traits: { ...UNKNOWN_TRAITS, ...traits },
});

export const tool = (
  address: string,
  traits: Partial<Traits> = {},
  inputSchema: JsonObject = { type: 'object' },
): ToolEntry => {
  const [server = '', name = ''] = address.split('/');
  return { kind: 'tool', ...base(server, name, traits), inputSchema };
};

export const resource = (server: string, uri: string): ResourceEntry => ({
  kind: 'resource',
  ...base(server, uri, {}),
  listed: true,
});

export const serverEntry = (server: string): ServerEntry => ({ kind: 'server', ...base(server, '', {}) });

export const CLIENT: ClientFacts = { era: 'modern', revision: '2026-07-28', capabilities: {}, address: '127.0.0.1' };

export const requestFor = (
  who: Principal,
  entry: Entry,
  operation: Operation,
  client: ClientFacts = CLIENT,
): ResolvedRequest => ({
  id: 'request-1',
  receivedAtMs: NOON_MS,
  startedMs: 0,
  endpoint: { kind: 'server', server: entry.server.id },
  principal: who,
  client,
  operation,
  meta: { vendor: {} },
  sealedFor: [],
  target: { endpoint: { kind: 'server', server: entry.server.id }, entries: [entry] },
});

export const callOf = (who: Principal, entry: Entry, args: JsonObject = {}): ResolvedRequest =>
  requestFor(who, entry, { kind: 'call-tool', name: entry.name, arguments: args });
