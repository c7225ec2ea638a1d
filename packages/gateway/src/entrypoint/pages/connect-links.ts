/**
 * The link that a question shows: sealed, for one person, one server and a short time, and used once. Whoever else opens it
 * gets nothing: else an attacker could have a victim consent for them (MCP 2025-11-25, client/elicitation, Phishing).
 */

import type { PrincipalKey } from '../../model/principal.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { ServerId } from '../../model/target.ts';
import type { AskedConsent } from '../../pipeline/connect.ts';
import type { Sealer } from '../../seal/sealer.ts';
import { RecentIds } from './recent-ids.ts';

export type OpenedLink = {
  readonly id: string;
  readonly principal: PrincipalKey;
  readonly server: ServerId;
  /** What the client called itself: claimed, not proved. */
  readonly client: string | undefined;
  readonly scopes: readonly string[];
};

export interface ConnectLinks {
  link(asked: AskedConsent): string;
  open(text: string): Result<OpenedLink, 'expired' | 'invalid' | 'used'>;
  /** False when it was used before. */
  use(id: string): boolean;
}

export type ConnectLinksOptions = {
  readonly sealer: Sealer;
  readonly publicUrl: string;
  readonly now: () => number;
  readonly newId: () => string;
};

export const CONNECT_LINK_LIFETIME_MS = 15 * 60_000;
const MAX_IDS = 10_000;
const MAX_CLIENT_CHARS = 100;

export function createConnectLinks({ sealer, publicUrl, now, newId }: ConnectLinksOptions): ConnectLinks {
  const used = new RecentIds(MAX_IDS);
  return {
    link({ principal, server, client, scopes }) {
      const payload = {
        i: newId(),
        p: principal.key,
        s: server,
        x: [...scopes],
        ...(client === undefined ? {} : { c: client.slice(0, MAX_CLIENT_CHARS) }),
      };
      return `${publicUrl}/connect/${server}?link=${sealer.seal('connect-link', payload, CONNECT_LINK_LIFETIME_MS)}`;
    },
    open(text) {
      const opened = sealer.open('connect-link', text);
      if (!opened.ok) return err(opened.error === 'expired' ? 'expired' : 'invalid');
      const { i, p, s, c, x } = opened.value;
      if (typeof i !== 'string' || typeof p !== 'string' || typeof s !== 'string' || !Array.isArray(x)) {
        return err('invalid');
      }
      if (used.has(i, now())) return err('used');
      const scopes = x.filter((scope) => typeof scope === 'string');
      return ok({ id: i, principal: p, server: s, client: typeof c === 'string' ? c : undefined, scopes });
    },
    use: (id) => used.add(id, now() + CONNECT_LINK_LIFETIME_MS, now()),
  };
}
