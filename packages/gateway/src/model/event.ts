/**
 * What happens beside calls and belongs in the record all the same: who proved who they are and who failed to, sessions, what
 * was refused before anyone knew what it asked for, and changes of the gateway itself. Facts only, and never a credential.
 */

import type { FailureCode } from './failure.ts';
import type { JsonObject } from './json.ts';
import type { CredentialKind, Principal } from './principal.ts';
import type { Endpoint } from './target.ts';

/** Told when something happened. Costs little, and never throws: what it is told of goes on whether it is recorded or not. */
export type NoteEvent = (event: GatewayEvent) => void;

export type GatewayEvent = AuthenticationEvent | SessionEvent | RefusalEvent | ChangeEvent;

/** Where it came from. */
export type EventSource = {
  /** The client's network address; empty when it was gone already. */
  readonly address: string;
  /** Ours: the same as in the records of calls and in the log. */
  readonly requestId?: string;
  /** Undefined: the gateway's own pages and API, or nothing that was known yet. */
  readonly endpoint?: Endpoint;
};

/** `bearer`: something in `Authorization` that is neither an API key of ours nor a token. */
export type PresentedKind = Exclude<CredentialKind, 'system'> | 'bearer';

/** What a credential says of itself, unverified and harmless: it helps to find its owner, and opens nothing. */
export type Claimed = {
  readonly issuer?: string;
  /** `kid` of a token. */
  readonly keyId?: string;
  /** The first characters of an API key, as `sallyport key list` shows them. */
  readonly hint?: string;
};

export type AuthenticationEvent = EventSource & {
  readonly kind: 'authentication';
  /** `verify`: a credential that came with a request. */
  readonly activity: 'verify' | 'log-in';
  readonly credential: PresentedKind;
  /** Who proved it; of a failure, whose credential it is that is good no longer, or not here. */
  readonly principal?: Principal;
  readonly claimed?: Claimed;
  /** The browser session that it opened. */
  readonly session?: string;
  readonly failure?: { readonly code: FailureCode | 'log-in-denied'; readonly reason?: string };
};

export type SessionEvent = EventSource & {
  readonly kind: 'session';
  /** `mcp`: of a legacy client, by `Mcp-Session-Id`. */
  readonly of: 'mcp' | 'browser';
  readonly change: 'opened' | 'closed';
  /** Why it ended. */
  readonly why?: 'ended by its client' | 'logged out' | 'expired';
  /** Names it in the records of its calls, and opens nothing. */
  readonly session: string;
  readonly principal: Principal;
  readonly expiresAtMs: number;
};

/** Why a connection came to nothing before there was a request. */
export type ConnectionFault = 'tls-handshake-failed';

/** `connection`: no HTTP request; `door`: not understood, or not let in; `identity`: understood, of a caller without a proof. */
export type RefusalEvent = EventSource & {
  readonly kind: 'refused-early';
  readonly stage: 'connection' | 'door' | 'identity';
  readonly code: FailureCode | ConnectionFault;
  /** The HTTP method, as far as there was one. */
  readonly method?: string;
};

/** What was changed. `policy` and `api-key` are words of the schema's readers; the others are ours. */
export type ChangedEntity = {
  readonly type:
    | 'policy'
    | 'api-key'
    | 'bodies'
    | 'certificate'
    | 'trust-bundle'
    | 'configuration'
    | 'definition'
    | 'grant'
    | 'grant-key';
  readonly name: string;
  /** Before and after, where it has versions; one of them where it came or went. */
  readonly before?: string;
  readonly after?: string;
};

export type ChangeEvent = {
  readonly kind: 'change';
  /** `policies/swap`, `key/revoke`: what audits are searched for. */
  readonly operation: string;
  readonly activity: 'create' | 'update' | 'delete' | 'activate';
  readonly entity: ChangedEntity;
  /** Who: `cli:ops`, or what noticed it: `watched file`, `reload signal`. */
  readonly by: string;
  /** When it happened, where it is told later. */
  readonly atMs?: number;
  readonly tenant?: string;
  /** Absent when it took effect. */
  readonly refused?: readonly string[];
  /** Something that only an attack or a mistake does unasked. */
  readonly alarming?: boolean;
  /** Small, and free of secrets. */
  readonly facts: JsonObject;
};
