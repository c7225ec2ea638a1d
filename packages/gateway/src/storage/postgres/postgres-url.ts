/** What a `postgres://` URL says, in the words of the driver. */

import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';

import { Secret } from '../../model/secret.ts';

export type PostgresAddress = {
  /** A name, an address, or the folder of a Unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user?: string;
  readonly password?: Secret;
  readonly database?: string;
  readonly ssl: false | ConnectionOptions;
};

const DEFAULT_PORT = 5432;

/**
 * `postgres://user:password@host:5432/database?sslmode=require`. `host` may stand among the parameters, for a socket.
 *
 * @throws RangeError that says what is wrong, without the URL itself: it may hold a password.
 */
export function parsePostgresUrl(written: Secret): PostgresAddress {
  const url = parseUrl(written.expose());
  const parameters = new Map(url.searchParams);
  const host = parameters.get('host') ?? decodeURIComponent(url.hostname);
  const known = new Set(['host', 'sslmode', 'sslrootcert']);
  const unknown = [...parameters.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw new RangeError(`The PostgreSQL URL has a parameter "${unknown}". Known are ${[...known].join(', ')}.`);
  }
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    host: host === '' ? 'localhost' : host.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? DEFAULT_PORT : Number(url.port),
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { password: new Secret(decodeURIComponent(url.password)) }),
    ...(database === '' ? {} : { database }),
    ssl: tlsOf(parameters.get('sslmode'), parameters.get('sslrootcert')),
  };
}

function parseUrl(text: string): URL {
  // `postgres://user@/database?host=/run/postgresql` is common, but no URL may name a user and no host.
  const withHost = text.trim().replace(/^(postgres(?:ql)?:\/\/[^/?#]*@)(?=\/)/, '$1localhost');
  if (/^postgres(?:ql)?:\/\//.test(withHost) && URL.canParse(withHost)) return new URL(withHost);
  throw new RangeError('This is no PostgreSQL URL. Write postgres://user@host/database.');
}

/** Encryption without a look at the certificate keeps nobody out who can stand between: it has to be asked for by name. */
function tlsOf(mode: string | undefined, rootCertificate: string | undefined): PostgresAddress['ssl'] {
  const ca = rootCertificate === undefined ? {} : { ca: readFileSync(rootCertificate, 'utf8') };
  switch (mode) {
    case undefined:
      return rootCertificate === undefined ? false : ca;
    case 'disable':
      return false;
    case 'require':
    case 'verify-ca':
    case 'verify-full':
      return ca;
    case 'no-verify':
      return { rejectUnauthorized: false };
    default:
      throw new RangeError(
        `The PostgreSQL URL has sslmode=${mode}. Write disable, require or verify-full (both check the certificate), or no-verify.`,
      );
  }
}
