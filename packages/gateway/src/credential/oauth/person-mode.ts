/** As each person, on their own consent. The gateway's own errand, reading what a server offers, goes on one of theirs. */

import { refuse } from '../../model/failure.ts';
import type { Principal } from '../../model/principal.ts';
import type { ServerId } from '../../model/target.ts';
import { grantKey } from '../grant-gate.ts';
import type { GrantKey } from '../grant.ts';
import type { CredentialMode } from '../mode-broker.ts';
import type { GrantBroker } from '../grant-broker.ts';

export type PersonModeOptions = {
  readonly server: ServerId;
  readonly tokens: Pick<GrantBroker, 'obtain'>;
  /** Whose consents there are, the newest first. */
  readonly newestOf: (server: ServerId) => Promise<readonly GrantKey[]>;
  /** Where a person consents. */
  readonly page: string;
};

export interface PersonMode extends CredentialMode {
  /** Somebody has consented: what the server offers can be read with that. */
  consented(key: GrantKey): void;
}

export function createPersonMode({ server, tokens, newestOf, page }: PersonModeOptions): PersonMode {
  /** Whose consent what the server offers was last read with. */
  let reader: GrantKey | undefined;

  const forReading = async (signal: AbortSignal) => {
    if (reader !== undefined) {
      const obtained = await tokens.obtain(reader, signal);
      if (obtained.kind === 'credential') return obtained.credential;
    }
    // The newest first: it is the likeliest to be good.
    for (const key of (await newestOf(server)).slice(0, MAX_READERS)) {
      const obtained = await tokens.obtain(key, signal);
      if (obtained.kind !== 'credential') continue;
      reader = key;
      return obtained.credential;
    }
    throw refuse('needs-login', {
      message: `Nobody has consented to ${server} yet, so what it offers is not known. Open ${page}`,
    });
  };

  return {
    async obtain(principal: Principal, signal) {
      // Typed so that it can never call a tool (`authz/permit.ts`).
      if (principal.kind === 'system') return forReading(signal);
      const obtained = await tokens.obtain(grantKey(principal, server), signal);
      if (obtained.kind === 'credential') return obtained.credential;
      throw refuse('needs-login', { message: `The server ${server} wants your own consent first. Open ${page}` });
    },
    consented(key) {
      reader = key;
    },
  };
}

const MAX_READERS = 5;
