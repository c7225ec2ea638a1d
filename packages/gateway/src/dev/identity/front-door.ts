/** Every request to the identity provider, before anything of it is believed: for whom it is, from where, and what it means. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import { isInteraction, type Interactions } from './interactions.ts';
import { isLoopbackOrigin } from './loopback.ts';

export type FrontDoorOptions = {
  readonly issuer: string;
  readonly scopes: readonly string[];
  /** The protocol's own paths. */
  readonly provide: (request: IncomingMessage, response: ServerResponse) => unknown;
  readonly interact: Interactions;
  readonly report: (error: unknown) => void;
};

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

export function createFrontDoor({ issuer, scopes, provide, interact, report }: FrontDoorOptions): Listener {
  const authority = new URL(issuer).host;
  return (request, response) => {
    const { host, origin } = request.headers;
    // A page of another site whose name was made to lead here (DNS rebinding) still says its own name.
    if (host?.toLowerCase() !== authority) {
      return refuse(response, 421, `The Host header names another host than ${issuer}.`);
    }
    // Another site may send a browser here, which says no origin then, and nothing else.
    if (origin !== undefined && !isLoopbackOrigin(origin)) {
      return refuse(response, 403, 'Pages of other sites have no business here.');
    }
    const [path = '/'] = (request.url ?? '/').split('?');
    if (path === '/reg' && origin !== undefined && answeredPreflight(request, response, origin)) return undefined;
    if (!isInteraction(path)) {
      request.url = completed(request.url ?? '/', scopes);
      return void provide(request, response);
    }
    interact(path, request, response).catch((error: unknown) => {
      report(error);
      if (!response.headersSent) response.writeHead(500);
      response.end();
    });
  };
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
  response.end(`${why}\n`);
}

/** The one path to which `oidc-provider` leaves CORS to us: a page registers before it is anybody's client. */
function answeredPreflight(request: IncomingMessage, response: ServerResponse, origin: string): boolean {
  response.setHeader('access-control-allow-origin', origin).setHeader('vary', 'Origin');
  if (request.method !== 'OPTIONS') return false;
  response.setHeader('access-control-allow-methods', 'POST').setHeader('access-control-allow-headers', 'Content-Type');
  response.writeHead(204).end();
  return true;
}

/**
 * An authorization request as a client means it. Who asks for a resource and for nothing of it gets the first scope (RFC
 * 6749 section 3.3 lets the server choose); who asks for nothing at all may also refresh. With `offline_access` consent is
 * asked for, without which OpenID Connect Core (section 11) would have the scope ignored.
 */
function completed(target: string, scopes: readonly string[]): string {
  const [path = '', query = ''] = target.split('?', 2);
  if (path !== '/auth') return target;
  const params = new URLSearchParams(query);
  const asked = new Set((params.get('scope') ?? '').split(' ').filter((scope) => scope !== ''));
  if (asked.size === 0) asked.add('offline_access');
  const [first] = scopes;
  if (params.has('resource') && first !== undefined && !scopes.some((scope) => asked.has(scope))) asked.add(first);
  params.set('scope', [...asked].join(' '));
  if (asked.has('offline_access') && !params.has('prompt')) params.set('prompt', 'consent');
  return `${path}?${params.toString()}`;
}
