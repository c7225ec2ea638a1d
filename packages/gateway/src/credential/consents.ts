/** The port between the connect pages and the servers' authorization servers: what a person agrees to, and what comes of it. */

import { setTimeout as pause } from 'node:timers/promises';

import type { ChangeEvent, NoteEvent } from '../model/event.ts';
import type { Principal } from '../model/principal.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { ServerId } from '../model/target.ts';
import { grantKey } from './grant-gate.ts';
import type { Grant, GrantKey, GrantVault } from './grant.ts';
import type { CodeFlow, ConsentOffer, PendingConsent } from './oauth/code-flow.ts';
import { OAuthError, type OAuthFault } from './oauth/oauth-error.ts';

export interface Consents {
  /** Undefined: the server is none that asks people for their consent, or not for this person to know. */
  of(principal: Principal, server: ServerId, isInvited: boolean): Promise<Consent | undefined>;
}

export interface Consent {
  /** What people see of the server. */
  readonly title: string;
  /** @param more Scopes beside those that are asked for anyway. */
  offer(more: readonly string[], signal: AbortSignal): Promise<Result<ConsentOffer, ConsentProblem>>;
  /** Where to send the browser. */
  begin(more: readonly string[], signal: AbortSignal): Promise<Result<BegunConsent, ConsentProblem>>;
  /** Keeps what the person gave. */
  finish(pending: PendingConsent, query: string, from: ConsentSource): Promise<Result<true, ConsentProblem>>;
}

export type BegunConsent = { readonly url: string; readonly pending: PendingConsent };

/** `reason` is for the log. */
export type ConsentProblem = { readonly fault: OAuthFault; readonly reason: string };

export type ConsentSource = { readonly address: string; readonly requestId: string; readonly signal: AbortSignal };

export type ConsentsOptions = {
  readonly flows: ReadonlyMap<ServerId, { readonly title: string; readonly flow: CodeFlow }>;
  readonly vault: Pick<GrantVault, 'read' | 'write'>;
  /** May somebody who was not sent there know of the server? */
  readonly mayKnow: (principal: Principal, server: ServerId) => Promise<boolean>;
  readonly note: NoteEvent;
  /** Told of every consent. */
  readonly onConsent: (key: GrantKey) => void;
};

export function createConsents({ flows, vault, mayKnow, note, onConsent }: ConsentsOptions): Consents {
  const keep = async (key: GrantKey, grant: Grant): Promise<void> => {
    for (let attempt = 1; attempt <= MAX_WRITES; attempt += 1) {
      const before = await vault.read(key);
      if (await vault.write(key, grant, before?.version ?? 0)) return;
      // It was renewed at that very moment, here or elsewhere; the person's word is the newer one.
      await pause(attempt * 10);
    }
    throw new OAuthError('unreachable', 'the consent could not be kept');
  };

  return {
    async of(principal, server, isInvited) {
      const known = flows.get(server);
      if (known === undefined) return undefined;
      if (!isInvited && !(await mayKnow(principal, server))) return undefined;
      const { title, flow } = known;
      const key = grantKey(principal, server);
      /** A wider consent takes nothing away (MCP 2026-07-28, basic/authorization, Step-Up Authorization Flow). */
      const withGranted = async (more: readonly string[]): Promise<readonly string[]> =>
        more.length === 0 ? more : [...more, ...((await vault.read(key))?.grant.scopes ?? [])];
      return {
        title,
        offer: (more, signal) => told(async () => flow.offer(await withGranted(more), signal)),
        begin: (more, signal) => told(async () => flow.begin(await withGranted(more), signal)),
        finish: (pending, query, { signal, ...source }) =>
          told(async (): Promise<true> => {
            const grant = await flow.finish(pending, query, signal);
            await keep(key, grant);
            note(consented(principal, server, grant, source));
            onConsent(key);
            return true;
          }),
      };
    },
  };
}

const MAX_WRITES = 5;

async function told<T>(work: () => Promise<T>): Promise<Result<T, ConsentProblem>> {
  try {
    return ok(await work());
  } catch (error) {
    if (error instanceof OAuthError) return err({ fault: error.fault, reason: error.message });
    if (isTimeout(error)) return err({ fault: 'unreachable', reason: 'no answer in time' });
    throw error;
  }
}

const isTimeout = (error: unknown): boolean => error instanceof DOMException && error.name === 'TimeoutError';

function consented(
  { tenant, key, issuer, subject }: Principal,
  server: ServerId,
  grant: Grant,
  { address, requestId }: Omit<ConsentSource, 'signal'>,
): ChangeEvent {
  return {
    kind: 'change',
    operation: 'credentials/obtain',
    activity: 'create',
    entity: { type: 'grant', name: `${key} at ${server}` },
    by: `${issuer}#${subject}`,
    tenant,
    facts: {
      server,
      principal: key,
      issuer: grant.issuer,
      scopes: [...grant.scopes],
      address,
      requestId,
      ...(grant.expiresAtMs === undefined ? {} : { expires: new Date(grant.expiresAtMs).toISOString() }),
    },
  };
}
