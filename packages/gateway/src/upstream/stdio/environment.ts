/**
 * What a child process sees of the environment: an allow-list, then what the operator named, then the credential. Nothing
 * of the gateway's own environment reaches a server because someone forgot to remove it.
 */

import type { Credential } from '../../credential/broker.ts';

/** What programs need to start at all, and what cannot carry a secret. */
export const INHERITED_VARIABLES: readonly string[] = [
  'HOME',
  'LANG',
  'LC_ALL',
  'LC_CTYPE',
  'LOGNAME',
  'PATH',
  'SHELL',
  'TERM',
  'TMPDIR',
  'TZ',
  'USER',
  // Where an organisation's own certificate authority is: paths, no secrets, and without them nothing is reached over TLS.
  'NODE_EXTRA_CA_CERTS',
  'REQUESTS_CA_BUNDLE',
  'SSL_CERT_DIR',
  'SSL_CERT_FILE',
  // Windows does not start a process without these.
  'APPDATA',
  'COMSPEC',
  'HOMEDRIVE',
  'HOMEPATH',
  'LOCALAPPDATA',
  'PATHEXT',
  'PROGRAMFILES',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'TMP',
  'USERNAME',
  'USERPROFILE',
];

export type EnvironmentParts = {
  /** The gateway's own environment. */
  readonly own: Readonly<Record<string, string | undefined>>;
  readonly inherit: readonly string[];
  readonly explicit: Readonly<Record<string, string>>;
  readonly credential: Credential;
};

/** Later parts win: a credential cannot be replaced by what is inherited. */
export function childEnvironment(parts: EnvironmentParts): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const name of parts.inherit) {
    const value = parts.own[name];
    // A shell function exported by bash travels as a value of this form: code, not configuration.
    if (value !== undefined && !value.startsWith('()')) environment[name] = value;
  }
  Object.assign(environment, parts.explicit);
  for (const [name, secret] of Object.entries(parts.credential.env)) environment[name] = secret.expose();
  return environment;
}
