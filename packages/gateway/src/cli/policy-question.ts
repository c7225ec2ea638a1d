/** One question to the policies, asked in the order of the pipeline: admitted at all, arguments of the declared shape, allowed. */

import type { Authorizer, Caller } from '../authz/authorizer.ts';
import { createArgumentValidator } from '../guard/schema-validator.ts';
import { approverText, type Decision, type Grounds } from '../model/decision.ts';
import { Refusal } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Entry } from '../model/target.ts';
import type { Trail } from '../model/trail.ts';
import { pin } from '../pipeline/pin.ts';

export type PolicyQuestion = {
  readonly caller: Caller;
  readonly entry: Entry;
  /** Undefined: unknown, as when lists are made. */
  readonly args: JsonObject | undefined;
};

export type Ruling = {
  readonly effect: 'allow' | 'deny' | 'approval' | 'invalid' | 'listed' | 'hidden';
  /** Who has to approve: `caller`, `group:dba`. */
  readonly approvals: readonly string[];
  /** What is wrong with the arguments: the call never gets as far as a policy. */
  readonly invalid?: string;
  readonly grounds: Grounds;
};

export type Asking = {
  ask(authorizer: Authorizer, question: PolicyQuestion): Promise<Ruling>;
  close(): Promise<void>;
};

const UNREAD: Trail = { note: () => undefined };

export function createAsking(): Asking {
  const validator = createArgumentValidator();
  return {
    async ask(authorizer, { caller, entry, args }) {
      const { admitted, grounds } = authorizer.admit(caller, entry);
      if (args === undefined) return { effect: admitted ? 'listed' : 'hidden', approvals: [], grounds };
      if (!admitted) return { effect: 'deny', approvals: [], grounds };
      try {
        const request = pin(requestFor(caller, entry, args), UNREAD);
        const { operation } = request;
        if (entry.kind === 'tool' && operation.kind === 'call-tool') {
          await validator.validate(entry, operation.arguments);
        }
        return rulingOf(authorizer.authorize(request));
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { effect: 'invalid', approvals: [], invalid: error.message, grounds: { ...grounds, policies: [] } };
      }
    },
    close: () => validator.close(),
  };
}

function rulingOf(decision: Decision): Ruling {
  const { grounds } = decision;
  if (decision.effect === 'deny') return { effect: 'deny', approvals: [], grounds };
  const approvals = decision.permit.obligations.map(({ by }) => approverText(by));
  return { effect: approvals.length === 0 ? 'allow' : 'approval', approvals, grounds };
}

function requestFor({ principal, client }: Caller, entry: Entry, args: JsonObject): ResolvedRequest {
  const endpoint = { kind: 'server', server: entry.server.id } as const;
  return {
    id: '',
    receivedAtMs: 0,
    startedMs: 0,
    endpoint,
    principal,
    client,
    operation: operationOn(entry, args),
    meta: { vendor: {} },
    sealedFor: [],
    target: { endpoint, entries: [entry] },
  };
}

function operationOn({ kind, name }: Entry, args: JsonObject): Operation {
  switch (kind) {
    case 'tool':
      return { kind: 'call-tool', name, arguments: args };
    case 'prompt':
      return { kind: 'get-prompt', name, arguments: args };
    case 'resource':
    case 'template':
      return { kind: 'read-resource', uri: name };
    case 'server':
      return { kind: 'discover' };
  }
}

/** `approval by caller, group:dba`. */
export function rulingText({ effect, approvals }: Pick<Ruling, 'effect' | 'approvals'>): string {
  return effect === 'approval' ? `approval by ${approvals.join(', ')}` : effect;
}
