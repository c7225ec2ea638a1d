/** As whom the bridge asks: a key that was given, or the tokens of a person who has logged in. */

import type { Egress } from '../../egress/egress.ts';
import { createWebFetch, type WebFetch } from '../../egress/web-fetch.ts';
import type { Authorization } from './bridge.ts';
import { awaitCallback } from './callback.ts';
import { readChallenge, type ReadChallenge } from '../../egress/bearer-challenge.ts';
import { logIn, renew, revoke } from './oauth.ts';
import { findProtectedResource, type ProtectedResource } from './protected-resource.ts';
import type { LogIn, TokenFile } from './token-file.ts';

/** A key cannot be renewed. */
export const withKey = (key: string): Authorization => ({
  header: `Bearer ${key}`,
  refused: () => Promise.resolve(false),
});

export type PersonOptions = {
  readonly egress: Egress;
  readonly endpoint: URL;
  readonly file: TokenFile;
  readonly clientId: string | undefined;
  /** Aborted when the client has gone: then nobody waits for a log-in. */
  readonly signal: AbortSignal;
  /** Shows the person where to log in. */
  readonly show: (url: string) => void;
  readonly say: (text: string) => void;
};

const LOG_IN_MS = 5 * 60_000;
const FETCH_MS = 15_000;
const MAX_BYTES = 262_144;

export const oauthFetch = (egress: Egress): WebFetch =>
  createWebFetch(egress, { policyOf: () => 'configured', maxBytes: MAX_BYTES, timeoutMs: FETCH_MS });

/** Starts with the log-in that was kept, if there is one; asks the person when it is needed. */
export async function asPerson(options: PersonOptions): Promise<Authorization> {
  const person = new Person(options, await options.file.read());
  return person;
}

class Person implements Authorization {
  readonly #options: PersonOptions;
  readonly #fetch: WebFetch;
  #known: LogIn | undefined;
  #mending: Promise<boolean> | undefined;

  constructor(options: PersonOptions, known: LogIn | undefined) {
    this.#options = options;
    this.#fetch = oauthFetch(options.egress);
    this.#known = known;
  }

  get header(): string | undefined {
    return this.#known === undefined ? undefined : `Bearer ${this.#known.accessToken}`;
  }

  async refused(used: string | undefined, header: string | undefined): Promise<boolean> {
    if (this.header !== used) return true;
    const challenge = readChallenge(header);
    // A 403 that no scope would mend is policy's word, and no log-in changes it.
    if (header === undefined || (used !== undefined && challenge.error === undefined)) return false;
    this.#mending ??= this.#mend(challenge)
      .catch((error: unknown) => {
        this.#options.say(`The log-in failed: ${error instanceof Error ? error.message : String(error)}`);
        return false;
      })
      .finally(() => {
        this.#mending = undefined;
      });
    return this.#mending;
  }

  #mend(challenge: ReadChallenge): Promise<boolean> {
    const { file } = this.#options;
    return file.inTurn(async () => {
      // Another bridge of this person may have been quicker.
      const kept = await file.read();
      if (kept !== undefined && kept.accessToken !== this.#known?.accessToken) {
        this.#known = kept;
        return true;
      }
      const known = this.#known;
      if (known !== undefined && challenge.error !== 'insufficient_scope') {
        const renewed = await renew(known, this.#fetch);
        if (renewed !== undefined) return this.#keep(renewed);
      }
      return this.#keep(await this.#ask(challenge, known));
    });
  }

  async #keep(made: LogIn): Promise<boolean> {
    this.#known = made;
    await this.#options.file.write(made);
    return true;
  }

  async #ask({ resourceMetadata, scope: wanted }: ReadChallenge, before: LogIn | undefined): Promise<LogIn> {
    const { egress, endpoint, clientId, show, signal } = this.#options;
    const resource = await findProtectedResource(egress, endpoint, resourceMetadata);
    const callback = await awaitCallback(
      before?.redirectUri,
      AbortSignal.any([signal, AbortSignal.timeout(LOG_IN_MS)]),
    );
    try {
      // Registered already, for just this address; another issuer or another port means another client.
      const same = before?.issuer === resource.issuer && before.redirectUri === callback.redirectUri;
      return await logIn({
        fetch: this.#fetch,
        resource,
        scope: scopeOf(wanted, before?.scope, resource),
        callback,
        clientId: clientId ?? (same ? before.clientId : undefined),
        show,
      });
    } finally {
      callback.close();
    }
  }
}

/** What is wanted now, and what there was before: a step up must not take away. Nothing said: all that is offered. */
function scopeOf(
  wanted: string | undefined,
  before: string | undefined,
  { scopes }: ProtectedResource,
): string | undefined {
  const named = [wanted ?? scopes.join(' '), before ?? ''].join(' ').split(' ');
  const scope = [...new Set(named)].filter((one) => one !== '').join(' ');
  return scope === '' ? undefined : scope;
}

/** Ends a log-in, here and at the issuer. @returns whether there was one */
export async function logOut(egress: Egress, file: TokenFile, say: (text: string) => void): Promise<boolean> {
  const known = await file.read();
  const removed = await file.remove();
  if (known === undefined) return removed;
  try {
    await revoke(known, oauthFetch(egress));
  } catch (error) {
    say(`${known.issuer} could not be told: ${error instanceof Error ? error.message : String(error)}`);
  }
  return true;
}
