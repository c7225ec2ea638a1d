/**
 * The HTTP headers we read, from the lines as they came (`protocol/mcp-headers.ts` reads those of MCP). Node's own view
 * joins or drops repeated headers; a proxy in front of us may have judged the other copy, so a repetition of anything
 * that decides something is refused.
 */

import { PASS_HEADER } from './forward-pass.ts';

export type InboundHeaders = {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly authorization: string | undefined;
  /** `X-Forwarded-Client-Cert`; several lines are one list. `authn` decides whether its sender is believed. */
  readonly forwardedCertificate: string | undefined;
  /** From another replica, or from somebody who would like to be one. */
  readonly pass: string | undefined;
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly contentLength: number | undefined;
  /** Several lines are one list (RFC 9110 section 5.3). */
  readonly accept: string | undefined;
  /** Of a legacy client that comes back to a stream. */
  readonly lastEventId: string | undefined;
  /** Of a CORS preflight. */
  readonly requestedHeaders: string | undefined;
  /** The first header, in lower case, that came twice though it may not. */
  readonly repeated: string | undefined;
};

type Draft = { -readonly [Key in keyof InboundHeaders]: InboundHeaders[Key] };

type TextHeader = Exclude<keyof InboundHeaders, 'accept' | 'contentLength' | 'forwardedCertificate' | 'repeated'>;

const SINGLE: ReadonlyMap<string, TextHeader> = new Map<string, TextHeader>([
  ['host', 'host'],
  ['origin', 'origin'],
  ['authorization', 'authorization'],
  [PASS_HEADER, 'pass'],
  ['content-type', 'contentType'],
  ['content-encoding', 'contentEncoding'],
  ['last-event-id', 'lastEventId'],
  ['access-control-request-headers', 'requestedHeaders'],
]);

/** `raw` is node's `rawHeaders`: name, value, name, value. */
export function readHeaders(raw: readonly string[]): InboundHeaders {
  const headers: Draft = {
    host: undefined,
    origin: undefined,
    authorization: undefined,
    pass: undefined,
    forwardedCertificate: undefined,
    contentType: undefined,
    contentEncoding: undefined,
    contentLength: undefined,
    lastEventId: undefined,
    accept: undefined,
    requestedHeaders: undefined,
    repeated: undefined,
  };
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    const value = raw[at + 1] ?? '';
    const single = SINGLE.get(name);
    if (single !== undefined) {
      if (headers[single] === undefined) headers[single] = value;
      else headers.repeated ??= name;
    } else if (name === 'accept') {
      headers.accept = headers.accept === undefined ? value : `${headers.accept}, ${value}`;
    } else if (name === 'x-forwarded-client-cert') {
      const { forwardedCertificate: before } = headers;
      headers.forwardedCertificate = before === undefined ? value : `${before},${value}`;
    } else if (name === 'content-length') {
      // Node's parser has refused a second one and anything that is not a number.
      headers.contentLength = Number(value);
    }
  }
  return headers;
}

const BEARER = /^bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;

/** The token of `Authorization: Bearer` (RFC 6750 section 2.1). Undefined for other schemes and other characters. */
export const bearerToken = (authorization: string): string | undefined => BEARER.exec(authorization)?.[1];

const JSON_TYPE = /^application\/json *(?:;|$)/i;

export const isJsonContentType = (contentType: string | undefined): boolean =>
  contentType !== undefined && JSON_TYPE.test(contentType);

/** Found in nearly every request, and then not taken apart. */
const AS_SDKS_SEND_IT = 'application/json, text/event-stream';

/** Does Accept name both media types an MCP answer may have? Wildcards and a missing header count as yes. */
export function acceptsJsonAndStream(accept: string | undefined): boolean {
  if (accept === AS_SDKS_SEND_IT) return true;
  return accepts(accept, 'application', 'json') && accepts(accept, 'text', 'event-stream');
}

export const acceptsStream = (accept: string | undefined): boolean => accepts(accept, 'text', 'event-stream');

function accepts(accept: string | undefined, type: string, subtype: string): boolean {
  if (accept === undefined) return true;
  for (const part of accept.toLowerCase().split(',')) {
    const [range = '', ...parameters] = part.split(';');
    const name = range.trim();
    if (name !== `${type}/${subtype}` && name !== `${type}/*` && name !== '*/*') continue;
    if (!parameters.some((parameter) => /^\s*q\s*=\s*0(?:\.0*)?\s*$/.test(parameter))) return true;
  }
  return false;
}
