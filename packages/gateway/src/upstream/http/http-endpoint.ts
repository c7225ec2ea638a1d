/** Where a server is reached over HTTP, and as whom: an address and the headers that every request to it carries. */

import type { Credential } from '../../credential/broker.ts';
import type { Egress, EgressRequest, ExchangeHandler } from '../../egress/egress.ts';
import { refuse } from '../../model/failure.ts';
import type { Clock } from '../clock.ts';
import { HttpExchange } from './http-exchange.ts';
import type { ExchangeListener } from './http-exchange.ts';

export type HttpEndpoint = {
  readonly egress: Egress;
  readonly clock: Clock;
  readonly origin: string;
  readonly path: string;
  /** Names and values in turn; the credential is among them. */
  readonly headers: readonly string[];
  readonly maxBufferedBytes: number;
};

export type HttpEndpointOptions = {
  readonly egress: Egress;
  readonly clock: Clock;
  readonly url: URL;
  readonly credential: Credential;
  readonly maxBufferedBytes: number;
};

/** Headers that the transport writes. A credential that names one would break requests or change what they mean. */
const OURS = new Set([
  'accept',
  'accept-encoding',
  'connection',
  'content-length',
  'content-type',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** What every POST carries, before the credential. */
const TO_POST = [
  'accept',
  'application/json, text/event-stream',
  'content-type',
  'application/json',
  'accept-encoding',
  'identity',
] as const;

/** Of a GET that opens an event stream: the credential is the same. */
export const headersToListen = ({ headers }: HttpEndpoint): string[] => [
  'accept',
  'text/event-stream',
  'accept-encoding',
  'identity',
  ...headers.slice(TO_POST.length),
];

const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** RFC 9110, 5.5, without obs-text. */
const HEADER_VALUE = /^[\t\x20-\x7e]*$/;

/** @throws Refusal `server-unavailable` for a credential that cannot be written as headers; never shows its value. */
export function createHttpEndpoint(options: HttpEndpointOptions): HttpEndpoint {
  const { egress, clock, url, credential, maxBufferedBytes } = options;
  const headers: string[] = [...TO_POST];
  for (const [givenName, secret] of Object.entries(credential.headers)) {
    const name = givenName.toLowerCase();
    const value = secret.expose();
    if (OURS.has(name) || name.startsWith('mcp-') || !HEADER_NAME.test(name)) {
      throw refuse('server-unavailable', { message: `The header ${JSON.stringify(name)} cannot be set for a server.` });
    }
    if (!HEADER_VALUE.test(value)) {
      const message = `The value for the header ${name} holds characters that a header cannot carry, perhaps a line break.`;
      throw refuse('server-unavailable', { message });
    }
    headers.push(name, value);
  }
  return { egress, clock, origin: url.origin, path: url.pathname + url.search, headers, maxBufferedBytes };
}

type Post = {
  readonly extra: readonly string[];
  readonly byName: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Sends one message; the handler hears of it. */
export function post(endpoint: HttpEndpoint, message: Post, handler: ExchangeHandler): void {
  const headers = endpoint.headers.concat(message.extra);
  const { byName } = message;
  for (const name of Object.keys(byName)) {
    const value = byName[name];
    if (value !== undefined) headers.push(name, value);
  }
  request(endpoint, { method: 'POST', headers, body: message.body }, handler);
}

type Request = Pick<EgressRequest, 'method' | 'headers' | 'body' | 'isLong'>;

export function request(
  endpoint: HttpEndpoint,
  { method, headers, body, isLong }: Request,
  handler: ExchangeHandler,
): void {
  const { egress, origin, path } = endpoint;
  // A server of the configuration: private networks and plain HTTP are the operator's choice.
  if (isLong === true) egress.dispatch('configured', { origin, path, method, headers, isLong }, handler);
  else if (body === undefined) egress.dispatch('configured', { origin, path, method, headers }, handler);
  else egress.dispatch('configured', { origin, path, method, headers, body }, handler);
}

/** An exchange whose answer is handed on only when it has arrived whole. */
export function wholeExchange(
  endpoint: HttpEndpoint,
  era: 'modern' | 'legacy',
  listener: ExchangeListener,
): HttpExchange {
  const { clock, maxBufferedBytes } = endpoint;
  return new HttpExchange({ era, clock, maxBufferedBytes, whole: true }, listener);
}
