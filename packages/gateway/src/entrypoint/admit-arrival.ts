/**
 * What every HTTP request must pass before its content matters: a host and an origin that are ours to answer, no header
 * twice that decides something, a path that exists, and a gateway that has room for it.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';

import { failure } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import { readMcpHeaders } from '../protocol/mcp-headers.ts';
import type { Arrival } from './arrival.ts';
import { refuse } from './arrival.ts';
import { crossOriginHeaders } from './cross-origin.ts';
import { PASS_HEADER, type Pass } from './forward-pass.ts';
import type { HostGuard } from './host-guard.ts';
import type { InboundHeaders } from './inbound-headers.ts';
import { readHeaders } from './inbound-headers.ts';
import type { EntrypointParts } from './parts.ts';
import { routeOf } from './route.ts';

export type Door = { readonly parts: EntrypointParts; readonly guard: HostGuard; readonly port: () => number };

/** The arrival when it may come in. Undefined when it was refused, and answered. */
export async function admitArrival(
  door: Door,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<Arrival | undefined> {
  const { parts } = door;
  const headers = readHeaders(request.rawHeaders);
  const stranger = strangerFault(door, headers);
  const pass = headers.pass === undefined ? undefined : parts.forwardPasses.open(headers.pass);
  const arrival: Arrival = {
    parts,
    request,
    response,
    headers,
    mcp: readMcpHeaders(request.rawHeaders),
    route: routeOf(request.url ?? ''),
    id: parts.newId(),
    receivedAtMs: parts.now(),
    startedMs: parts.clockMs(),
    pass,
    cors: stranger === undefined ? crossOriginHeaders(headers.origin) : [],
  };
  if (request.rawHeaders.length > 2 * parts.limits.maxHeaderCount) {
    const message = `The request has more than the ${parts.limits.maxHeaderCount} headers that the gateway accepts.`;
    await refuse(arrival, failure('invalid-request', { message }), { status: 431 });
    return undefined;
  }
  const fault =
    headerFault(headers) ??
    stranger ??
    passFault(headers, pass, request.method) ??
    queryFault(request.url ?? '') ??
    (arrival.route === undefined ? failure('not-found') : undefined);
  if (fault === undefined) return arrival;
  await refuse(arrival, fault);
  return undefined;
}

function headerFault({ repeated, host }: InboundHeaders): Failure | undefined {
  if (repeated !== undefined) {
    return failure('invalid-request', { message: `The header ${repeated} was sent more than once.` });
  }
  return host === undefined ? failure('invalid-request', { message: 'The Host header is missing.' }) : undefined;
}

/**
 * A token in the query stands in the logs of every proxy on its way (RFC 6750 section 5.3; MCP, authorization, token
 * requirements). It is refused and not ignored, so that whoever sends it learns of it.
 */
function queryFault(requestTarget: string): Failure | undefined {
  const query = requestTarget.indexOf('?');
  if (query === -1 || !new URLSearchParams(requestTarget.slice(query)).has('access_token')) return undefined;
  return failure('invalid-request', {
    message: 'A token in the query is not accepted. Send "Authorization: Bearer <token>", and revoke this one.',
  });
}

/** Only a replica can have made it, for a message; anybody else has no use for the header. */
function passFault(
  { pass: sent }: InboundHeaders,
  pass: Pass | undefined,
  method: string | undefined,
): Failure | undefined {
  if (sent === undefined || (pass !== undefined && method === 'POST')) return undefined;
  return failure('invalid-request', { message: `The header ${PASS_HEADER} is not one of this gateway's replicas.` });
}

/** A missing Origin is no web page's request, and fine. `null` is a sandboxed page's, and is on no list. */
function strangerFault({ guard, port }: Door, { host, origin }: InboundHeaders): Failure | undefined {
  if (host !== undefined && !guard.hostAllowed(host, port())) return failure('host-refused');
  if (origin !== undefined && !guard.originAllowed(origin, port())) return failure('origin-refused');
  return undefined;
}
