/**
 * As each person, with a secret that the operator keeps for them in a place of their own. What a server offers is read with what
 * is there for that, because no person's secret is for the gateway's own errands.
 */

import { refuse, Refusal } from '../model/failure.ts';
import type { Principal, PrincipalKey } from '../model/principal.ts';
import type { ServerId } from '../model/target.ts';
import type { Credential, CredentialBroker } from './broker.ts';
import type { CredentialReport, CredentialSource } from './credential-report.ts';
import type { CredentialMode } from './mode-broker.ts';
import type { SecretResolver } from './secret-resolver.ts';
import { UnresolvedReferenceError } from './secret-store.ts';
import { createStaticBroker, type CredentialSources } from './static-broker.ts';

export type PersonSecretsOptions = {
  readonly server: ServerId;
  /** Where the secrets of one person are. @throws UnresolvedReferenceError */
  readonly placesOf: (principal: Principal) => CredentialSources;
  /** What the gateway itself reads the lists with. */
  readonly lists: CredentialSources;
  readonly resolver: Pick<SecretResolver, 'resolve' | 'reread' | 'state'>;
  /** One for each person, whose leases end with it. */
  readonly apart: () => SecretResolver;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Milliseconds since the epoch: for reports. */
  readonly now: () => number;
  readonly maxPeople?: number;
  /** What nobody used for so long is forgotten. */
  readonly idleMs?: number;
};

export interface PersonSecrets extends CredentialMode, CredentialSource {
  replace(refused: Credential, principal: Principal, signal: AbortSignal): Promise<boolean>;
}

type Person = {
  readonly broker: CredentialBroker & CredentialSource;
  readonly resolver: SecretResolver;
  readonly owner: Pick<CredentialReport, 'owner' | 'tenant'>;
  usedAtMs: number;
};

export function createPersonSecrets(options: PersonSecretsOptions): PersonSecrets {
  const { server, placesOf, apart, clockMs, now, maxPeople = 10_000, idleMs = 15 * 60_000 } = options;
  /** The least recently used first. */
  const people = new Map<PrincipalKey, Person>();
  const ownErrands = createStaticBroker({ ...options, servers: { [server]: options.lists } });
  /** Never used twice: a person who comes back has other versions, and so no session of before. */
  let counted = 0;

  const forget = (key: PrincipalKey, { resolver }: Person): void => {
    people.delete(key);
    void resolver.close();
  };

  const personFor = (principal: Principal): Person => {
    const nowMs = clockMs();
    const known = people.get(principal.key);
    people.delete(principal.key);
    for (const [key, person] of people) {
      if (people.size < maxPeople && nowMs - person.usedAtMs < idleMs) break;
      forget(key, person);
    }
    const person = known ?? newPerson(principal);
    person.usedAtMs = nowMs;
    people.set(principal.key, person);
    return person;
  };

  const newPerson = (principal: Principal): Person => {
    const servers = { [server]: placesOf(principal) };
    const resolver = apart();
    counted += 1;
    const as = { kind: 'principal', version: `${server}/person/${counted}` } as const;
    return {
      broker: createStaticBroker({ servers, resolver, clockMs, now, as }),
      resolver,
      owner: { owner: principal.subject, tenant: principal.tenant },
      usedAtMs: clockMs(),
    };
  };

  return {
    async obtain(principal, signal) {
      // Typed so that it can never call a tool (`authz/permit.ts`).
      if (principal.kind === 'system') return ownErrands.obtain(principal, server, signal);
      try {
        return await personFor(principal).broker.obtain(principal, server, signal);
      } catch (error) {
        throw forThemAlone(server, error);
      }
    },
    async replace(refused, principal, signal) {
      const broker = principal.kind === 'system' ? ownErrands : people.get(principal.key)?.broker;
      return (await broker?.replace(refused, { principal, server }, signal)) ?? false;
    },
    report: async () => {
      const rows = await Promise.all(
        [...people.values()].map(async ({ broker, owner }) =>
          (await broker.report(undefined)).map((row) => ({ ...row, ...owner, kind: 'principal' })),
        ),
      );
      return [...(await ownErrands.report(undefined)), ...rows.flat()];
    },
  };
}

/** A person whose secret is missing says nothing about the server: a store that is away does. */
function forThemAlone(server: ServerId, error: unknown): unknown {
  const unresolved = error instanceof Refusal ? error.cause : error;
  if (!(unresolved instanceof UnresolvedReferenceError) || unresolved.fault === 'away') return error;
  return refuse('needs-login', {
    message:
      `The server ${server} is called with a secret of your own, and there is none: ${unresolved.message} ` +
      'Tell the operator.',
    cause: unresolved,
  });
}
