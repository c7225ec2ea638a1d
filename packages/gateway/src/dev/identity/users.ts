/** The people of the demo: who they are, whether a password is theirs, and what tokens say about them. */

import { createHash, timingSafeEqual } from 'node:crypto';

import { createKeyedLimiter } from '../../quota/keyed-limiter.ts';

export type DemoUser = {
  /** What is typed to log in, and the subject of tokens. */
  readonly name: string;
  readonly password: string;
  readonly groups: readonly string[];
};

export type UserClaims = {
  readonly name: string;
  readonly preferred_username: string;
  readonly groups: string[];
};

export type LoginVerdict =
  | { readonly kind: 'welcome'; readonly user: DemoUser }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'wait'; readonly seconds: number };

export type Users = {
  /** Undefined for a name that nobody has. */
  claimsOf(name: string): UserClaims | undefined;
  logIn(name: string, password: string): LoginVerdict;
};

/** With passwords of 36 bits, this many guesses lead nowhere; a person who mistypes does not notice the limit. */
const ATTEMPTS = { count: 10, periodMs: 60_000, burst: 10, text: '10/minute log-ins per name', maxKeys: 100 };

/** @throws RangeError when nobody could log in, or two users share a name. */
export function createUsers(users: readonly DemoUser[]): Users {
  const byName = new Map(users.map((user) => [user.name, user]));
  if (byName.size !== users.length || users.length === 0) {
    throw new RangeError('The identity provider needs at least one user, and a name of its own for each.');
  }
  const attempts = createKeyedLimiter({ ...ATTEMPTS, now: () => performance.now() });
  return {
    claimsOf(name) {
      const user = byName.get(name);
      return user && { name: titleCase(user.name), preferred_username: user.name, groups: [...user.groups] };
    },
    logIn(name, password) {
      const user = byName.get(name.trim().toLowerCase());
      // Names that nobody has share one bucket, so that inventing them buys no more guesses and fills no memory.
      const bucket = user?.name ?? '';
      const verdict = attempts.allow(bucket);
      if (!verdict.allowed) return { kind: 'wait', seconds: Math.ceil(verdict.retryAfterMs / 1000) };
      // Compared even when there is nobody of that name: the time taken says nothing about which names exist.
      const same = timingSafeEqual(digest(password), digest(user?.password ?? ''));
      if (user === undefined || !same) return { kind: 'wrong' };
      attempts.giveBack(bucket);
      return { kind: 'welcome', user };
    },
  };
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

const titleCase = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);
