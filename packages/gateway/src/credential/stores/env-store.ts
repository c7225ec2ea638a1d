/** `env:NAME`: what the gateway's own environment said when it was started. */

import { Secret } from '../../model/secret.ts';
import { UnresolvedReferenceError, type Lease, type SecretStore } from '../secret-store.ts';

type Environment = Readonly<Record<string, string | undefined>>;

export function createEnvStore(env: Environment): SecretStore {
  const read = (name: string): Promise<Lease> =>
    new Promise((resolve) =>
      resolve({ value: new Secret(readVariable(name, env)), version: 'start', checkAfterMs: Infinity }),
    );
  return { read, renew: read, close: () => Promise.resolve() };
}

function readVariable(name: string, env: Environment): string {
  const value = env[name];
  if (value !== undefined && value !== '') return value;
  throw new UnresolvedReferenceError(
    `env:${name} is ${value === '' ? 'empty' : 'not set'}. Set ${name} in the environment the gateway is started in.`,
  );
}
