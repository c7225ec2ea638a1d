/**
 * Two layers of identity: the user, by token or key, and the workload that the request comes from. With both, the principal
 * is the user, and shows the workload; with a workload alone it is the workload. Nothing that was presented is ignored.
 */

import { refuse } from '../model/failure.ts';
import type { Principal, Workload } from '../model/principal.ts';
import type { Attempts } from './attempts.ts';
import type { AuthenticationAttempt, Authenticator } from './authenticator.ts';
import { refused } from './refused.ts';
import { constraintFault } from './sender-constraint.ts';
import type { KnownWorkload, Workloads } from './workloads.ts';

export type LayeredOptions = {
  /** Who is calling, by what is in `Authorization`. */
  readonly bearer: Authenticator;
  /** Undefined where no workload can prove itself. */
  readonly workloads: Workloads | undefined;
  /** Nobody is served who does not prove a workload. */
  readonly workloadRequired: boolean;
  readonly attempts: Attempts;
};

/** Workloads that one user is seen with at a time: the replicas and generations of a few agents. */
const MAX_PER_USER = 64;

export function createLayeredAuthenticator(options: LayeredOptions): Authenticator {
  const { bearer, workloads, workloadRequired, attempts } = options;
  /** Policy remembers by principal, so the same token from the same workload must be the same object. */
  const pairs = new WeakMap<Principal, Map<Workload, Principal>>();

  const alone = (user: Principal, attempt: AuthenticationAttempt): Principal => {
    const fault = constraintFault(user, undefined);
    return fault === undefined ? user : attempts.failed(attempt, refused('invalid-credential', fault, user));
  };

  const paired = (user: Principal, known: KnownWorkload, attempt: AuthenticationAttempt): Principal => {
    const { workload } = known;
    const seen = pairs.get(user) ?? new Map<Workload, Principal>();
    const before = seen.get(workload);
    if (before !== undefined) return before;
    const fault = pairFault(user, known);
    if (fault !== undefined) return attempts.failed(attempt, refused('invalid-credential', fault, user));
    const both = Object.freeze({ ...user, workload });
    const [oldest] = seen.keys();
    if (seen.size >= MAX_PER_USER && oldest !== undefined) seen.delete(oldest);
    seen.set(workload, both);
    pairs.set(user, seen);
    return both;
  };

  return {
    authenticate(attempt) {
      const workload = workloads?.of(attempt);
      if (workload === undefined && workloadRequired) throw refuse('unauthenticated', { message: NEEDS_CERTIFICATE });
      // An empty one is there when Authorization could not be read: that was meant to be a user, and is not ignored.
      if (workload !== undefined && attempt.presented.bearer === undefined) return workload.principal;
      const layered = (user: Principal): Principal =>
        workload === undefined ? alone(user, attempt) : paired(user, workload, attempt);
      const user = bearer.authenticate(attempt);
      return user instanceof Promise ? user.then(layered) : layered(user);
    },
  };
}

function pairFault(user: Principal, { principal, thumbprint }: KnownWorkload): string | undefined {
  if (user.tenant !== principal.tenant) {
    return `two layers: the user is of tenant "${user.tenant}", the workload of "${principal.tenant}"`;
  }
  return constraintFault(user, thumbprint);
}

const NEEDS_CERTIFICATE =
  'A client certificate of a configured trust domain is required, beside a credential or without one.';
