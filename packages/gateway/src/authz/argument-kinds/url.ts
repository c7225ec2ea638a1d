/**
 * A URL in parts, as the WHATWG parser reads it. Only a text that already is what this parser would write is believed: where
 * it repairs (tabs, backslashes, missing slashes, odd numbers for addresses, capitals, a default port), another parser
 * repairs differently, and policy would judge one place while the server goes to another.
 */

import { classifyAddress } from '../../egress/addresses.ts';
import type { UrlScheme } from '../../model/argument-kind.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { LOOK_ALIKE, UNSEEN } from './spellings.ts';

/** What policy sees. Every member is always there, so that no rule needs `has`. */
export type UrlFacts = {
  readonly scheme: string;
  /** Lower-case; an international name as punycode; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  readonly path: string;
  /** Without `?`, and as sent: what it means is the server's affair. Empty when there is none. */
  readonly query: string;
  /** Without `#`. Empty when there is none. */
  readonly fragment: string;
  readonly isIp: boolean;
  /** Certainly not on the public internet, as written: names are not resolved. */
  readonly isPrivate: boolean;
};

const MAX_URL_LENGTH = 8_192;

const PORTS: Readonly<Record<UrlScheme, number>> = { http: 80, https: 443, ws: 80, wss: 443, ftp: 21 };

/** Letters, digits, `-` and, as some names have it, `_`. Resolvers and certificates know no more. */
const NAME = /^[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/;

/** Names that stand for this machine or this network (RFC 6761, RFC 6762, RFC 9476, ICANN's `.internal`). */
const PRIVATE_NAME =
  /(?:^|\.)(?:localhost|local|localdomain|internal|intranet|lan|home|corp|private|alt|onion|home\.arpa)$/;

/** RFC 3986, section 6.2.2: hexadecimal digits in capitals, and letters, digits, `-`, `.`, `_`, `~` never encoded. */
const CANONICAL_ENCODING =
  /^(?:[^%]|%(?!2[DEF]|3[0-9]|4[1-9A-F]|5[0-9AF]|6[1-9A-F]|7[0-9AEF]|25|5C|[01])[0-9A-F]{2})*$/;

/** `..;x` is `..` to servers that know path parameters. */
const DOT_SEGMENT = /^\.{1,2}(?:;|$)/;

export function judgeUrl(text: string, schemes: readonly UrlScheme[]): Result<UrlFacts, string> {
  if (text.length > MAX_URL_LENGTH) return err(`it is longer than ${MAX_URL_LENGTH} characters.`);
  if (!/^[!-~]*$/.test(text)) {
    return err('it holds spaces, controls or characters beyond ASCII. Write the host in punycode, the rest encoded.');
  }
  if (text.includes('\\')) return err('it holds a backslash. Separate with "/".');
  const url = URL.parse(text);
  if (url === null) return err('it is no absolute URL. Write scheme, host and path.');
  if (url.username !== '' || url.password !== '' || authority(text).includes('@')) {
    return err('it holds a user name or password. Leave that out.');
  }
  const scheme = schemes.find((known) => `${known}:` === url.protocol);
  if (scheme === undefined) return err(`its scheme is none of ${schemes.join(', ')}.`);
  // `https://host` is the one text that the parser adds to and nobody can misread.
  if (url.href !== text && url.href !== `${text}/`) {
    return err(
      'it is not in normal form: lower-case scheme and host, no default port, no "." or "..", nothing to repair.',
    );
  }
  const path = judgeUrlPath(url.pathname);
  return path === undefined ? factsOf(url, scheme) : err(path);
}

const authority = (text: string): string => /^[^:]*:\/\/([^/?#]*)/.exec(text)?.[1] ?? '';

function factsOf(url: URL, scheme: UrlScheme): Result<UrlFacts, string> {
  const { hostname } = url;
  const kind = classifyAddress(hostname);
  if (kind === undefined && (!NAME.test(hostname) || hostname.length > 253)) {
    return err('its host is no plain name and no address. Leave a final dot out, and use letters, digits and "-".');
  }
  const isPrivate = kind === undefined ? !hostname.includes('.') || PRIVATE_NAME.test(hostname) : kind !== 'public';
  return ok({
    scheme,
    host: hostname.startsWith('[') ? hostname.slice(1, -1) : hostname,
    port: url.port === '' ? PORTS[scheme] : Number(url.port),
    path: url.pathname,
    query: url.search.slice(1),
    fragment: url.hash.slice(1),
    isIp: kind !== undefined,
    isPrivate,
  });
}

/** Why a path could be read in two ways, or undefined. */
function judgeUrlPath(path: string): string | undefined {
  if (!CANONICAL_ENCODING.test(path)) {
    return 'its path encodes what needs no encoding, or a slash, a percent sign, a backslash or a control. Write it plainly.';
  }
  const decoded = decodedPath(path);
  if (decoded === undefined) return 'its path does not decode to UTF-8.';
  if (UNSEEN.test(decoded) || LOOK_ALIKE.test(decoded)) {
    return 'its path encodes characters that cannot be seen or that look like "/" or ".". Use plain ones.';
  }
  if (path.includes('//')) return 'its path holds "//". Write one "/".';
  if (path.split('/').some((segment) => DOT_SEGMENT.test(segment))) return 'a part of its path is "." or "..".';
  return undefined;
}

function decodedPath(path: string): string | undefined {
  try {
    return decodeURIComponent(path);
  } catch {
    return undefined;
  }
}
