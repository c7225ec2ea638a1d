/**
 * One broker for all servers: the operator's headers and variables as they stand, and where a server has a mode of its own
 * (`auth`), what that gives for this caller beside them.
 */

import type { Principal } from '../model/principal.ts';
import type { Secret } from '../model/secret.ts';
import type { ServerId } from '../model/target.ts';
import type { Credential, CredentialBroker, CredentialRenewal } from './broker.ts';

/** As whom one server is called. */
export interface CredentialMode {
  /** @throws Refusal */
  obtain(principal: Principal, signal: AbortSignal, subject?: Secret): Credential | Promise<Credential>;
  /** The server did not take it: true when another may be had now. Absent: there is never another. */
  rejected?(credential: Credential): boolean;
  /** Likewise, where it has to be looked for. Never throws. */
  replace?(refused: Credential, principal: Principal, signal: AbortSignal): Promise<boolean>;
}

export type ModeBrokerOptions = {
  readonly fixed: CredentialBroker;
  readonly modes: ReadonlyMap<ServerId, CredentialMode>;
  /** Of tokens of people. */
  readonly renewal: CredentialRenewal;
};

/** What a credential was put together from: those who gave the parts know each by itself. */
type Joined = { readonly beside: Credential; readonly own: Credential };

export function createModeBroker({ fixed, modes, renewal }: ModeBrokerOptions): CredentialBroker & CredentialRenewal {
  /** Made once for each pair: pools and records know a credential by its version, and it is asked for on every call. */
  const joined = new WeakMap<Credential, { readonly beside: Credential; readonly credential: Credential }>();
  const parts = new WeakMap<Credential, Joined>();

  const join = (beside: Credential, own: Credential): Credential => {
    const known = joined.get(own);
    if (known?.beside === beside) return known.credential;
    const credential = {
      ...own,
      version: `${beside.version}+${own.version}`,
      headers: Object.freeze({ ...beside.headers, ...own.headers }),
      env: Object.freeze({ ...beside.env, ...own.env }),
    };
    joined.set(own, { beside, credential });
    parts.set(credential, { beside, own });
    return credential;
  };

  return {
    obtain(principal, server, signal, subject) {
      const beside = fixed.obtain(principal, server, signal);
      const mode = modes.get(server);
      if (mode === undefined) return beside;
      const own = mode.obtain(principal, signal, subject);
      if (!(beside instanceof Promise) && !(own instanceof Promise)) return join(beside, own);
      return Promise.all([beside, own]).then(([first, second]) => join(first, second));
    },
    async replace(refused, of, signal) {
      const pair = parts.get(refused);
      if (pair === undefined) return fixed.replace(refused, of, signal);
      const mode = modes.get(of.server);
      const isRenewed = mode?.rejected?.(pair.own) ?? false;
      const [isOther, isReplaced] = await Promise.all([
        fixed.replace(pair.beside, of, signal),
        mode?.replace?.(pair.own, of.principal, signal),
      ]);
      return isOther || isRenewed || isReplaced === true;
    },
    rejected: (credential, signal) => renewal.rejected(parts.get(credential)?.own ?? credential, signal),
  };
}
