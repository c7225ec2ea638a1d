/**
 * The only maker of permits, and the only cast to one (test/architecture.test.ts). Everything that reaches an upstream
 * demands a permit, so whoever wants to know what can be called without a policy's word reads this file's importers.
 */

import type { Grounds, Obligation, Permit } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import { DEFAULT_TENANT, principalKey, type Principal } from '../model/principal.ts';
import type { Target, ToolEntry } from '../model/target.ts';

/** What a permit is made on. */
export type Basis = { readonly obligations: readonly Obligation[]; readonly grounds: Grounds };

const OWN_ERRAND: Basis = Object.freeze({
  obligations: Object.freeze([]),
  grounds: Object.freeze({ policies: Object.freeze([]), policyVersion: 'system', errors: Object.freeze([]) }),
});

/** The gateway itself: who refreshes the catalog and probes servers. No credential can ever authenticate as it. */
export const SYSTEM_PRINCIPAL: Principal = Object.freeze({
  key: principalKey(DEFAULT_TENANT, 'sallyport:system', 'gateway'),
  tenant: DEFAULT_TENANT,
  kind: 'system',
  issuer: 'sallyport:system',
  subject: 'gateway',
  name: 'sallyport',
  groups: Object.freeze([]),
  scopes: Object.freeze([]),
  credential: Object.freeze({ kind: 'system' }),
  claims: Object.freeze({}),
});

/** Proof that policy allowed exactly this. Called by the authorizer when a decision came out as allow, nowhere else. */
export function mintPermit(
  principal: Principal,
  operation: Operation,
  target: Target,
  { obligations, grounds }: Basis,
): Permit {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the one cast: the class is declared, never defined
  return { principal, operation, target, obligations, grounds } as unknown as Permit;
}

export type ReadOnlyTool = ToolEntry & { readonly traits: { readonly readOnly: true } };

export const isReadOnlyTool = (tool: ToolEntry): tool is ReadOnlyTool => tool.traits.readOnly;

/**
 * A permit to see whether a server is of use, by a tool that its operator named for that and marked read-only: the one call
 * that the gateway makes on its own account.
 */
export function probePermit(tool: ReadOnlyTool, args: JsonObject): Permit {
  const operation: Operation = { kind: 'call-tool', name: tool.name, arguments: args };
  const endpoint = { kind: 'server', server: tool.server.id } as const;
  return mintPermit(SYSTEM_PRINCIPAL, operation, { endpoint, entries: [tool] }, OWN_ERRAND);
}

/** What the gateway does on its own account. */
export type SystemOperation = Extract<Operation, { kind: 'discover' | 'ping' | 'list' }>;

/**
 * A permit for the gateway's own errands: catalog refreshes and health probes. Typed so that it can never be one for
 * calling a tool, reading a resource or getting a prompt.
 */
export function systemPermit(operation: SystemOperation, target: Target): Permit {
  return mintPermit(SYSTEM_PRINCIPAL, operation, target, OWN_ERRAND);
}
