/**
 * The authorizer on Cedar: who asks and what for become entities once, the policies that can matter are picked by scope,
 * and a verdict is remembered whenever nothing it depends on can change before the next request.
 */

import type { Admission, Decision, Grounds, Obligation } from '../model/decision.ts';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Entry } from '../model/target.ts';
import type { Authorizer, Caller } from './authorizer.ts';
import { BoundedCache } from './bounded-cache.ts';
import { BUILT_IN_POLICIES } from './built-in-policies.ts';
import { argumentsOf, asksWithoutArguments, judgedArguments, methodName, surfaceOf, type Facts } from './context.ts';
import type { Subject } from './entities.ts';
import { actionOf } from './operation-action.ts';
import { mintPermit } from './permit.ts';
import type { PolicyProblem } from './policy-problem.ts';
import type { Form } from './policy-groups.ts';
import { loadPolicies, type LoadedPolicies, type Policy, type PolicyText } from './policy-set.ts';
import type { Reads } from './policy-words.ts';
import { finish, Question, type Steps } from './question.ts';
import { entryRegister, principalRegister } from './registers.ts';
import { compileShorthand, type ServerAllowance } from './shorthand.ts';
import { permitsEverything } from './scope-index.ts';
import { createSlices } from './slices.ts';
import { denied, withTrial, type Verdict } from './verdict.ts';
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
  // The step that it ends in may take another 1.2 ms, where the engine reads a set of policies (policy-groups.ts).
  maxSliceMs: 2,
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
  /** Who would have to agree before a call leaves. */
  readonly obligations: readonly Obligation[];
  /** Every policy whose scope covers the question, and where it stands. */
  readonly applicable: readonly Pick<Policy, 'id' | 'effect' | 'mode' | 'source' | 'line' | 'text' | 'reads'>[];
};

export interface CedarAuthorizer extends Authorizer {
  /** The decision and all that took part in it. Without `args`: whether the entry is admitted at all. Nothing is cached. */
  explain(caller: Caller, entry: Entry, args?: JsonObject): Explanation;
  /** The operator's. */
  readonly policyCount: number;
  /** Of the policies in force: what their author most likely did not mean. */
  readonly warnings: readonly PolicyProblem[];
  /** Ids of the permits that let everybody call every tool. */
  readonly permitEverything: readonly string[];
}

/** Loads everything or nothing: a set with a problem is refused whole, with all its problems. */
export function createAuthorizer(options: AuthorizerOptions): Result<CedarAuthorizer, readonly PolicyProblem[]> {
  const limits = { ...DEFAULT_AUTHORIZER_LIMITS, ...options.limits };
  const shorthand = compileShorthand(options.shorthand);
  const texts = [...BUILT_IN_POLICIES, ...shorthand.texts, ...options.policies];
  const loaded = loadPolicies(texts, limits);
  const problems = [...shorthand.problems, ...(loaded.ok ? [] : loaded.error)];
  if (!loaded.ok || problems.length > 0) return err(problems);
  const version = options.digest(JSON.stringify(loaded.value.policies.map(({ id, text }) => [id, text])));
  return ok(authorizerOf(loaded.value, version, options, limits));
}

/** What is remembered about one identity, asking for one entry. */
type Plan = {
  readonly entry: Entry;
  readonly workload: Subject['workload'];
  readonly enforced: Question;
  /** Asked as well when policies that only observe apply. */
  readonly trial: Question | undefined;
  /** What any policy that is asked reads. */
  readonly reads: Reads;
  /** By what they read of the caller's claims about itself. */
  readonly verdicts: Map<string, Verdict>;
  readonly admissions: Map<string, Verdict>;
};

/** A client chooses its surface: so many spellings of it are remembered per plan, then all are forgotten. */
const MAX_SURFACES = 16;

function authorizerOf(
  { policies, warnings }: LoadedPolicies,
  version: string,
  options: AuthorizerOptions,
  limits: AuthorizerLimits,
): CedarAuthorizer {
  const { clock } = options;
  const slicesFor = createSlices(policies, version, limits.maxSlices);
  const plans = new BoundedCache<Plan>(limits.maxVerdicts);
  const detail = {
    claims: policies.some(({ reads }) => readsAttribute(reads, 'claims')),
    workload: policies.some(({ reads }) => reads.workload),
  };
  const knownPrincipal = principalRegister(detail, limits.maxPrincipals);
  const knownEntry = entryRegister();

  function planOf(principal: Principal, entry: Entry, action: ActionName): Plan {
    const who = knownPrincipal(principal);
    const what = knownEntry(entry);
    const key = `${who.id}/${what.id}/${action}`;
    const existing = plans.get(key);
    if (existing !== undefined) return existing;
    const sides = { principal: who.subject, action, resource: what.subject };
    const { enforced, trial } = slicesFor(who.subject, action, what.subject);
    const plan: Plan = {
      entry,
      workload: who.subject.workload,
      enforced: new Question(sides, enforced),
      trial: trial === undefined ? undefined : new Question(sides, trial),
      reads: (trial ?? enforced).reads,
      verdicts: new Map(),
      admissions: new Map(),
    };
    plans.set(key, plan);
    return plan;
  }

  function* judge(plan: Plan, asked: Asked, form: Form): Steps<Verdict> {
    const { entry, workload, enforced, trial } = plan;
    const facts: Facts = { entry, workload, ...asked };
    const verdict = yield* enforced.judge(facts, form, clock);
    return trial === undefined ? verdict : withTrial(verdict, yield* trial.judge(facts, form, clock), trial.slice);
  }

  function* admission({ principal, client }: Caller, entry: Entry): Steps<Verdict> {
    const plan = planOf(principal, entry, ACTION_OF_KIND[entry.kind]);
    const { reads, admissions } = plan;
    const surface = reads.surface ? surfaceOf(client) : '';
    // The time can be in no key: what reads it is asked again.
    const key = reads.now ? undefined : surface;
    const known = recall(admissions, key);
    if (known !== undefined) return known;
    // Finding out which of many policies apply is a step of its own.
    yield;
    return remember(admissions, key, yield* judge(plan, { ...NO_FACTS, surface }, 'optimistic'));
  }

  return {
    version,
    policyCount: policies.length - BUILT_IN_POLICIES.length,
    warnings,
    permitEverything: policies.filter(permitsEverything).map(({ id }) => id),
    admit: (caller, entry): Admission => {
      const { allowed, grounds } = finish(admission(caller, entry));
      return { admitted: allowed, grounds };
    },
    admitAll(caller, entries) {
      const admitted: boolean[] = [];
      let steps: Steps<Verdict> | undefined;
      const workOff = (): boolean => {
        const until = options.monotonic() + limits.maxSliceMs;
        for (;;) {
          const entry = entries[admitted.length];
          if (entry === undefined) return true;
          steps ??= admission(caller, entry);
          const step = steps.next();
          if (step.done === true) {
            admitted.push(step.value.allowed);
            steps = undefined;
          }
          if (options.monotonic() >= until) return admitted.length >= entries.length;
        }
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
      if (action === undefined) return refusal(version);
      const plan = planOf(principal, entry, action);
      const { reads } = plan;
      const surface = reads.surface ? surfaceOf(client) : '';
      const method = reads.method ? methodName(operation) : '';
      const open = asksWithoutArguments(operation);
      const sent = argumentsOf(operation);
      // Also where no policy reads them: what cannot be judged is not sent on.
      const judged = judgedArguments(entry, sent);
      if (!judged.ok) {
        const { grounds } = denied(plan.enforced.slice, [], [judged.error]);
        return { effect: 'deny', grounds, told: judged.error };
      }
      const memory = open ? plan.admissions : plan.verdicts;
      // A client chooses its surface: the length keeps it apart from the method.
      const about = reads.method ? `${surface.length}:${surface}${method}` : surface;
      const key = reads.now || (reads.arguments && !open) ? undefined : about;
      const asked: Asked = { arguments: judged.value, surface, method };
      const verdict =
        recall(memory, key) ?? remember(memory, key, finish(judge(plan, asked, open ? 'optimistic' : 'full')));
      const { grounds } = verdict;
      if (!verdict.allowed) return { effect: 'deny', grounds };
      return { effect: 'allow', permit: mintPermit(principal, operation, target, verdict), grounds };
    },
    explain(caller, entry, args) {
      const plan = planOf(caller.principal, entry, ACTION_OF_KIND[entry.kind]);
      const { slice } = plan.trial ?? plan.enforced;
      const judged = judgedArguments(entry, args ?? {});
      const asked = { surface: surfaceOf(caller.client), method: '' };
      const { allowed, grounds, obligations } = judged.ok
        ? finish(judge(plan, { arguments: judged.value, ...asked }, args === undefined ? 'optimistic' : 'full'))
        : denied(plan.enforced.slice, [], [judged.error]);
      const applicable = slice.policies.toSorted((left, right) => left.index - right.index);
      return { allowed, grounds, obligations, applicable };
    },
  };
}

type Asked = Omit<Facts, 'entry' | 'workload'>;

const NO_FACTS: Asked = { arguments: {}, surface: '', method: '' };

function refusal(policyVersion: string): Decision {
  return { effect: 'deny', grounds: { policies: [], policyVersion, errors: ['No permit covers this.'] } };
}

const readsAttribute = ({ attributes }: Reads, name: string): boolean =>
  Object.values(attributes).some((names) => names.has(name));

/** @param key Undefined when the verdict depends on what no key can hold. */
const recall = (memory: Map<string, Verdict>, key: string | undefined): Verdict | undefined =>
  key === undefined ? undefined : memory.get(key);

function remember(memory: Map<string, Verdict>, key: string | undefined, verdict: Verdict): Verdict {
  if (key === undefined) return verdict;
  if (memory.size >= MAX_SURFACES) memory.clear();
  memory.set(key, verdict);
  return verdict;
}
