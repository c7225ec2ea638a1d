/**
 * Legacy session ids: what the gateway must remember of a session, sealed into the id that the client repeats. Any
 * replica can serve any session, and none keeps a table of them. The id is no credential: every request still presents
 * one, and it must be the same principal's (MCP 2025-11-25, basic/transports, Session Management).
 */

import type { JsonObject } from '../model/json.ts';
import { isJsonObject } from '../model/json.ts';
import type { PrincipalKey } from '../model/principal.ts';
import type { ClientFacts } from '../model/request.ts';
import type { Result } from '../model/result.ts';
import { err, ok } from '../model/result.ts';
import type { LegacyRevision } from '../model/revision.ts';
import { isLegacyRevision } from '../model/revision.ts';
import type { Sealer } from '../seal/sealer.ts';

export type Session = {
  readonly principal: PrincipalKey;
  /** The path of the endpoint that it was opened on, and is good for. */
  readonly path: string;
  readonly revision: LegacyRevision;
  readonly info?: NonNullable<ClientFacts['info']>;
  readonly capabilities: JsonObject;
  readonly expiresAtMs: number;
  /** Names the session in records and in the revocation set, and opens nothing. */
  readonly nonce: string;
};

export type NewSession = Omit<Session, 'expiresAtMs' | 'nonce'>;

export type IssuedSession = { readonly id: string; readonly nonce: string; readonly expiresAtMs: number };

export type SessionIds = {
  /** A new session, or why there cannot be one: what the client says of itself does not fit into a header. */
  issue(session: NewSession): Result<IssuedSession, 'too-large'>;
  /** Undefined for anything that is not an unexpired id of ours for the endpoint at `path`. */
  open(id: string, path: string): Session | undefined;
};

export type SessionIdOptions = {
  readonly sealer: Sealer;
  readonly now: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  readonly lifetimeMs: number;
};

/** Base64 makes it a third longer; common proxies give all headers together 8 KiB. */
const MAX_PAYLOAD_BYTES = 1_400;
const MAX_NAME_LENGTH = 64;

export function createSessionIds({ sealer, now, randomBytes, lifetimeMs }: SessionIdOptions): SessionIds {
  return {
    issue(session) {
      const nonce = Buffer.from(randomBytes(12)).toString('base64url');
      const expiresAtMs = now() + lifetimeMs;
      for (const shorter of [session, withShortInfo(session), withoutExperiments(session)]) {
        const payload = encodeSession({ ...shorter, expiresAtMs, nonce });
        if (Buffer.byteLength(JSON.stringify(payload)) <= MAX_PAYLOAD_BYTES) {
          return ok({ id: sealer.seal('session', payload, lifetimeMs), nonce, expiresAtMs });
        }
      }
      return err('too-large');
    },
    open(id, path) {
      const opened = sealer.open('session', id);
      if (!opened.ok) return undefined;
      const session = decodeSession(opened.value);
      return session?.path === path ? session : undefined;
    },
  };
}

/** Icons and descriptions are for people; the name and version are what records show. */
function withShortInfo(session: NewSession): NewSession {
  if (session.info === undefined) return session;
  const { name, version } = session.info;
  return { ...session, info: { name: name.slice(0, MAX_NAME_LENGTH), version: version.slice(0, MAX_NAME_LENGTH) } };
}

/** What no revision defines can be left out: the server is then not told of it, and does not use it. */
function withoutExperiments(session: NewSession): NewSession {
  const { experimental: _experimental, extensions: _extensions, ...capabilities } = session.capabilities;
  return { ...withShortInfo(session), capabilities };
}

/** Short names, because every request carries them. */
const encodeSession = (session: Session): JsonObject => ({
  k: session.principal,
  p: session.path,
  r: session.revision,
  c: session.capabilities,
  x: session.expiresAtMs,
  n: session.nonce,
  ...(session.info === undefined ? {} : { i: session.info }),
});

function decodeSession({ k, p, r, c, x, n, i }: JsonObject): Session | undefined {
  if (typeof k !== 'string' || typeof p !== 'string' || typeof x !== 'number' || typeof n !== 'string')
    return undefined;
  if (typeof r !== 'string' || !isLegacyRevision(r) || !isJsonObject(c)) return undefined;
  const session = { principal: k, path: p, revision: r, capabilities: c, expiresAtMs: x, nonce: n };
  return isClientInfo(i) ? { ...session, info: i } : session;
}

const isClientInfo = (value: unknown): value is NonNullable<ClientFacts['info']> =>
  isJsonObject(value) && typeof value['name'] === 'string' && typeof value['version'] === 'string';
