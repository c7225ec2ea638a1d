/** How the gateway logs in to a Vault: a row for each method. */

import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { VaultError, type VaultRequest } from './vault-request.ts';

/** Values are functions, because they lie in files and variables that change. */
export type VaultAuth =
  | { readonly method: 'token'; readonly token: () => Promise<string> }
  | {
      readonly method: 'approle';
      readonly mount: string;
      readonly roleId: () => Promise<string>;
      readonly secretId: (() => Promise<string>) | undefined;
    }
  | {
      readonly method: 'kubernetes' | 'jwt';
      readonly mount: string;
      readonly role: string;
      readonly jwt: () => Promise<string>;
    };

export type VaultToken = {
  readonly token: string;
  /** Infinity for one that does not end. */
  readonly lastsMs: number;
  readonly renewable: boolean;
};

type Send = (request: VaultRequest, token: string | undefined) => Promise<JsonObject | undefined>;

/** @throws VaultError, or UnresolvedReferenceError for what it logs in with. */
export async function logIn(auth: VaultAuth, send: Send): Promise<VaultToken> {
  switch (auth.method) {
    case 'token': {
      const token = (await auth.token()).trim();
      const answer = await send({ method: 'GET', path: 'auth/token/lookup-self' }, token);
      const told = isJsonObject(answer?.['data']) ? answer['data'] : {};
      return { token, ...timeOf(told['ttl'], told['renewable']) };
    }
    case 'approle': {
      const secretId = await auth.secretId?.();
      return granted(
        await send(
          {
            method: 'POST',
            path: `auth/${auth.mount}/login`,
            body: {
              role_id: (await auth.roleId()).trim(),
              ...(secretId === undefined ? {} : { secret_id: secretId.trim() }),
            },
          },
          undefined,
        ),
      );
    }
    case 'kubernetes':
    case 'jwt': {
      const body = { role: auth.role, jwt: (await auth.jwt()).trim() };
      return granted(await send({ method: 'POST', path: `auth/${auth.mount}/login`, body }, undefined));
    }
  }
}

function granted(answer: JsonObject | undefined): VaultToken {
  const auth = isJsonObject(answer?.['auth']) ? answer['auth'] : {};
  const { client_token: token, lease_duration: seconds, renewable } = auth;
  if (typeof token !== 'string' || token === '') throw new VaultError('the log-in was answered without a token', 0);
  return { token, ...timeOf(seconds, renewable) };
}

function timeOf(seconds: unknown, renewable: unknown): Omit<VaultToken, 'token'> {
  const lasts = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : Infinity;
  return { lastsMs: lasts, renewable: renewable === true };
}
