/** Where the secrets of people are, as a configuration names the places. */

import path from 'node:path';

import type { PersonSecretsConfig } from '../config/auth-config.ts';
import { fillTemplate, sampleOf, wordsOf, type PersonWord } from '../config/person-template.ts';
import { parseValue } from '../config/references.ts';
import type { ValueConfig } from '../config/secrets-config.ts';
import { nameAsPlace, userAsPlace } from '../credential/person-name.ts';
import { createPersonSecrets, type PersonSecrets } from '../credential/person-secrets.ts';
import { UnresolvedReferenceError } from '../credential/secret-store.ts';
import { DEFAULT_TENANT, type Principal } from '../model/principal.ts';
import type { ServerId } from '../model/target.ts';
import { systemClock } from '../upstream/clock.ts';
import type { Secrets } from './secrets.ts';

export type PersonSecretsParts = {
  readonly secrets: Pick<Secrets, 'resolve' | 'reread' | 'state' | 'apart'>;
  /** Relative paths are relative to it. */
  readonly directory: string;
};

export function composePersonSecrets(
  server: ServerId,
  auth: PersonSecretsConfig<ValueConfig>,
  { secrets, directory }: PersonSecretsParts,
): PersonSecrets {
  const all = (templates: Readonly<Record<string, string>>, principal: Principal): Record<string, ValueConfig> =>
    Object.fromEntries(
      Object.entries(templates).map(([name, template]) => [name, placeOf(template, principal, directory)]),
    );
  return createPersonSecrets({
    server,
    placesOf(principal) {
      if (auth.issuer !== undefined && principal.issuer !== auth.issuer) {
        throw new UnresolvedReferenceError(`Only people of ${auth.issuer} have one (servers.${server}.auth.issuer).`);
      }
      return { headers: all(auth.headers, principal), env: all(auth.env, principal) };
    },
    lists: auth.lists,
    resolver: secrets,
    apart: () => secrets.apart(),
    clockMs: () => systemClock.nowMs(),
    now: Date.now,
  });
}

/** @throws UnresolvedReferenceError for somebody whose place it cannot be. */
export function placeOf(template: string, principal: Principal, directory: string): ValueConfig {
  // Two tenants have people, and keys, of the same name.
  if (!wordsOf(template).has('tenant') && principal.tenant !== DEFAULT_TENANT) {
    throw new UnresolvedReferenceError(
      `${template} is for the tenant "${DEFAULT_TENANT}" alone. Put {tenant} into it to serve others.`,
    );
  }
  const filled = fillTemplate(template, (word) => NAMES[word](principal));
  const value = parseValue(filled);
  if (value === undefined || value.kind !== parseValue(sampleOf(template))?.kind) {
    throw new UnresolvedReferenceError(`${filled} is no place of that store.`);
  }
  return value.kind === 'file' ? { ...value, path: path.resolve(directory, value.path) } : value;
}

const NAMES: Readonly<Record<PersonWord, (principal: Principal) => string>> = {
  tenant: ({ tenant }) => nameAsPlace(tenant),
  subject: ({ subject }) => nameAsPlace(subject),
  user: userAsPlace,
};
