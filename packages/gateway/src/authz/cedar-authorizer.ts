/**
 * The authorizer on Cedar: who asks and what for become entities once, the policies that can matter are picked by scope,
 * and a verdict is remembered whenever nothing it depends on can change before the next request.
 */

import type { Admission, Decision, Grounds } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Entry } from '../model/target.ts';
import type { Authorizer, Caller } from './authorizer.ts';
import { BoundedCache } from './bounded-cache.ts';
import {
  argumentsOf,
  asksWithoutArguments,
  contextOf,
  judgedArguments,
  surfaceOf,
  undeclaredKeys,
  type Facts,
} from './context.ts';
import { entrySubject, principalSubject, type Subject } from './entities.ts';
import { denied, evaluate, evaluateOptimistically, questionOf, type Question, type Verdict } from './evaluate.ts';
import { actionOf } from './operation-action.ts';
import { mintPermit } from './permit.ts';
import type { PolicyProblem } from './policy-problem.ts';
import { loadPolicies, type Policy, type PolicyText } from './policy-set.ts';
import { compileShorthand, type ServerAllowance } from './shorthand.ts';
import { createSlices } from './slices.ts';
import { ACTION_OF_KIND, type ActionName } from './vocabulary.ts';

export type AuthorizerLimits = {
  readonly maxPolicies: number;
  /** Characters of one policy text. */
  readonly maxTextLength: number;
  /** Distinct identities kept as entities. */
  readonly maxPrincipals: number;
  /** Pairs of identity and catalog entry whose verdicts are kept. */
  readonly maxVerdicts: number;
  /** Distinct lists of applicable policies. */
  readonly maxSlices: number;
  /** How long a long list of admissions may hold the event loop at a time. */
  readonly maxSliceMs: number;
};

export const DEFAULT_AUTHORIZER_LIMITS: AuthorizerLimits = {
  maxPolicies: 10_000,
  maxTextLength: 1_000_000,
  maxPrincipals: 4_096,
  maxVerdicts: 50_000,
  maxSlices: 4_096,
  maxSliceMs: 3,
};

export type AuthorizerOptions = {
  readonly policies: readonly PolicyText[];
  readonly shorthand: readonly ServerAllowance[];
  /** Milliseconds since the epoch: `context.now`. */
  readonly clock: () => number;
  /** A monotonic reading in milliseconds, for giving way on long lists. */
  readonly monotonic: () => number;
  /** Lets other work run; `setImmediate` as a promise. */
  readonly yieldNow: () => Promise<void>;
  /** SHA-256 of a text, hex. */
  readonly digest: (text: string) => string;
  readonly limits?: Partial<AuthorizerLimits>;
};

/** How a decision came about, for a person. */
export type Explanation = {
  readonly allowed: boolean;
  readonly grounds: Grounds;
  /** Every policy whose scope covers the question, and where it stands. */
  readonly applicable: readonly Pick<Policy, 'id' | 'effect' | 'source' | 'line' | 'text' | 'reads'>[];
};

export interface CedarAuthorizer extends Authorizer {
  /** The decision and all that took part in it. Without `args`: whether the entry is admitted at all. Nothing is cached. */
  explain(caller: Caller, entry: Entry, args?: JsonObject): Explanation;
  readonly policyCount: number;
}

/** Loads everything or nothing: a set with a problem is refused whole, with all its problems. */
export function createAuthorizer(options: AuthorizerOptions): Result<CedarAuthorizer, readonly PolicyProblem[]> {
  const limits = { ...DEFAULT_AUTHORIZER_LIMITS, ...options.limits };
  const shorthand = compileShorthand(options.shorthand);
  const texts = [...shorthand.texts, ...options.policies];
  const loaded = loadPolicies(texts, limits);
  const problems = [...shorthand.problems, ...(loaded.ok ? [] : loaded.error)];
  if (!loaded.ok || problems.length > 0) return err(problems);
  const version = options.digest(JSON.stringify(loaded.value.map(({ id, text }) => [id, text])));
  return ok(authorizerOf(loaded.value, version, options, limits));
}

/** What is remembered about one identity, asking for one entry. */
type Plan = {
  readonly question: Question;
  /** By what the slice reads of the caller's claims about itself. */
  readonly verdicts: Map<string, Verdict>;
  readonly admissions: Map<string, Verdict>;
};

type Known = { readonly id: number; readonly subject: Subject };

/** A client chooses its surface: so many spellings of it are remembered per plan, then all are forgotten. */
const MAX_SURFACES = 16;

function authorizerOf(
  policies: readonly Policy[],
  version: string,
  options: AuthorizerOptions,
  limits: AuthorizerLimits,
): CedarAuthorizer {
  const sliceFor = createSlices(policies, version, limits.maxSlices);
  const withClaims = policies.some(({ reads }) => reads.attributes.has('claims'));
  const plans = new BoundedCache<Plan>(limits.maxVerdicts);
  const knownPrincipal = principalRegister(withClaims, limits.maxPrincipals);
  const knownEntry = entryRegister();

  function planOf(principal: Principal, entry: Entry, action: ActionName): Plan {
    const who = knownPrincipal(principal);
    const what = knownEntry(entry);
    const key = `${who.id}/${what.id}/${action}`;
    const existing = plans.get(key);
    if (existing !== undefined) return existing;
    const slice = sliceFor(who.subject, action, what.subject);
    const question = questionOf(who.subject, action, what.subject, slice);
    const plan: Plan = { question, verdicts: new Map(), admissions: new Map() };
    plans.set(key, plan);
    return plan;
  }

  /** Evaluates, or denies what policy cannot be asked about. */
  function judge(question: Question, facts: Facts, known: boolean): Verdict {
    const problem = question.principal.problem ?? question.resource.problem;
    if (problem !== undefined) return denied(question.slice, [], [problem]);
    const context = contextOf(facts, question.slice.reads, options.clock);
    if (!context.ok) return denied(question.slice, [], [context.error]);
    return known ? evaluate(question, context.value) : evaluateOptimistically(question, context.value);
  }

  function admission(caller: Caller, entry: Entry): Verdict {
    const plan = planOf(caller.principal, entry, ACTION_OF_KIND[entry.kind]);
    const { slice } = plan.question;
    const surface = slice.reads.surface ? surfaceOf(caller.client) : '';
    return remembered(plan.admissions, slice.reads.now ? undefined : surface, () =>
      judge(plan.question, { arguments: {}, undeclared: [], surface, method: '' }, false),
    );
  }

  return {
    version,
    policyCount: policies.length,
    admit: (caller, entry): Admission => {
      const { allowed, grounds } = admission(caller, entry);
      return { admitted: allowed, grounds };
    },
    admitAll(caller, entries) {
      const admitted: boolean[] = [];
      const workOff = (): boolean => {
        const until = options.monotonic() + limits.maxSliceMs;
        while (admitted.length < entries.length) {
          const entry = entries[admitted.length];
          admitted.push(entry !== undefined && admission(caller, entry).allowed);
          if (options.monotonic() >= until) break;
        }
        return admitted.length >= entries.length;
      };
      if (workOff()) return admitted;
      return (async () => {
        do await options.yieldNow();
        while (!workOff());
        return admitted;
      })();
    },
    authorize(request): Decision {
      const { principal, operation, target, client } = request;
      const [entry, another] = target.entries;
      const action = another === undefined ? actionOf(operation, entry) : undefined;
      // A permit is for one thing, and of the kind that the operation is about.
      if (action === undefined) {
        return {
          effect: 'deny',
          grounds: { policies: [], policyVersion: version, errors: ['No permit covers this.'] },
        };
      }
      const plan = planOf(principal, entry, action);
      const { reads } = plan.question.slice;
      const surface = reads.surface ? surfaceOf(client) : '';
      const method =
        operation.kind === 'extension' ? operation.method : operation.kind === 'task' ? `tasks/${operation.verb}` : '';
      const open = asksWithoutArguments(operation);
      const sent = argumentsOf(operation);
      // Also where no policy reads them: what cannot be judged is not sent on.
      const judged = judgedArguments(entry, sent);
      if (!judged.ok) {
        return { effect: 'deny', grounds: denied(plan.question.slice, [], [judged.error]).grounds, told: judged.error };
      }
      const key =
        reads.now || (reads.arguments && !open) ? undefined : reads.method ? `${surface}\n${method}` : surface;
      const verdict = remembered(open ? plan.admissions : plan.verdicts, key, () => {
        const undeclared = reads.arguments ? undeclaredKeys(entry, sent) : [];
        return judge(plan.question, { arguments: judged.value, undeclared, surface, method }, !open);
      });
      if (!verdict.allowed) return { effect: 'deny', grounds: verdict.grounds };
      return {
        effect: 'allow',
        permit: mintPermit(principal, operation, target, verdict.obligations),
        grounds: verdict.grounds,
      };
    },
    explain(caller, entry, args) {
      const { question } = planOf(caller.principal, entry, ACTION_OF_KIND[entry.kind]);
      const undeclared = args === undefined ? [] : undeclaredKeys(entry, args);
      const judged = judgedArguments(entry, args ?? {});
      const applicable = question.slice.policies;
      if (!judged.ok) {
        return { allowed: false, grounds: denied(question.slice, [], [judged.error]).grounds, applicable };
      }
      const facts: Facts = { arguments: judged.value, undeclared, surface: surfaceOf(caller.client), method: '' };
      const { allowed, grounds } = judge(question, facts, args !== undefined);
      return { allowed, grounds, applicable };
    },
  };
}

/** @param key Undefined when the verdict depends on what no key can hold. */
function remembered(verdicts: Map<string, Verdict>, key: string | undefined, judge: () => Verdict): Verdict {
  if (key === undefined) return judge();
  const existing = verdicts.get(key);
  if (existing !== undefined) return existing;
  if (verdicts.size >= MAX_SURFACES) verdicts.clear();
  const verdict = judge();
  verdicts.set(key, verdict);
  return verdict;
}

/**
 * Entities of principals. By the object first, because the authenticator returns the same one for a cached token; then by
 * everything that policy can see of it, so that a new token of the same person finds the old verdicts, and a person whose
 * groups changed does not.
 */
function principalRegister(withClaims: boolean, maxPrincipals: number): (principal: Principal) => Known {
  const byObject = new WeakMap<Principal, Known>();
  const byIdentity = new BoundedCache<Known>(maxPrincipals);
  let lastId = 0;
  return (principal) => {
    const known = byObject.get(principal);
    if (known !== undefined) return known;
    const subject = principalSubject(principal, withClaims);
    const identity = JSON.stringify([subject.entities, subject.problem]);
    const same = byIdentity.get(identity);
    const found = same ?? { id: ++lastId, subject };
    if (same === undefined) byIdentity.set(identity, found);
    byObject.set(principal, found);
    return found;
  };
}

/** Entities of catalog entries. The catalog keeps an entry's object for as long as it does not change. */
function entryRegister(): (entry: Entry) => Known {
  const byObject = new WeakMap<Entry, Known>();
  let lastId = 0;
  return (entry) => {
    const known = byObject.get(entry);
    if (known !== undefined) return known;
    const found: Known = { id: ++lastId, subject: entrySubject(entry) };
    byObject.set(entry, found);
    return found;
  };
}
