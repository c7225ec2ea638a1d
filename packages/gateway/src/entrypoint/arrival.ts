/** One HTTP request as it arrived at an endpoint, and the two ways to end it without the pipeline. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import { bearerChallenge, bearerError } from '../authn/challenge.ts';
import type { EventSource } from '../model/event.ts';
import type { Failure, FailureCode } from '../model/failure.ts';
import { FAILURES } from '../model/failure.ts';
import type { PresentedCredentials } from '../model/request.ts';
import type { Era } from '../model/revision.ts';
import { NEWEST_LEGACY, NEWEST_MODERN } from '../model/revision.ts';
import { Secret } from '../model/secret.ts';
import type { EncodedAnswer, ServerCodec } from '../protocol/codec.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { JsonRpcId } from '../protocol/json-rpc.ts';
import type { McpHeaders } from '../protocol/mcp-headers.ts';
import { respondProblem } from './api/respond.ts';
import type { Pass } from './forward-pass.ts';
import type { InboundHeaders } from './inbound-headers.ts';
import { bearerToken } from './inbound-headers.ts';
import type { EntrypointParts } from './parts.ts';
import { lingeringEnd } from './request-body.ts';
import type { EndpointRoute, Route } from './route.ts';
import { certificatesOf } from './tls.ts';
import { writeAnswer } from './write-answer.ts';

export type Arrival = {
  readonly parts: EntrypointParts;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly headers: InboundHeaders;
  readonly mcp: McpHeaders;
  /** Undefined when there is nothing at the path. */
  readonly route: Route | undefined;
  /** Our name for the request. */
  readonly id: string;
  readonly receivedAtMs: number;
  readonly startedMs: number;
  /** Another replica passed it on. */
  readonly pass: Pass | undefined;
  /** CORS headers of the answer, names and values in turn. */
  readonly cors: readonly string[];
};

/** A request for an MCP endpoint. */
export type EndpointArrival = Arrival & { readonly route: EndpointRoute };

export const isForEndpoint = (arrival: Arrival): arrival is EndpointArrival => arrival.route?.kind === 'mcp';

/** A request for the gateway's own API or pages. */
export type OwnArrival = Arrival & { readonly route: Extract<Route, { kind: 'api' | 'page' }> };

export const isForUs = (arrival: Arrival): arrival is OwnArrival =>
  arrival.route?.kind === 'api' || arrival.route?.kind === 'page';

export type RefusedAs = {
  /** How the client speaks, as far as it is known. Default: legacy. */
  readonly era?: Era;
  readonly id?: JsonRpcId | null;
  /** Replaces the failure's own. */
  readonly status?: number;
  /** The rest of the body is not read: the connection cannot be used again. */
  readonly unread?: boolean;
};

const NOTHING_KNOWN: RefusedAs = {};

/** Ends the request with our own refusal, counted and logged here because the pipeline never sees it. */
export function refuse(arrival: Arrival, failure: Failure, as: RefusedAs = NOTHING_KNOWN): Promise<void> {
  const { instruments, logger } = arrival.parts;
  instruments.refused(failure.code);
  noteRefusal(arrival, failure.code);
  const fields = {
    requestId: arrival.id,
    outcome: failure.code,
    address: addressOf(arrival),
    path: pathOf(arrival),
    ...reasonOf(failure),
  };
  if (FAILURES[failure.code].fault === 'caller') logger.info(fields, 'refused at the door');
  else logger.warn(fields, 'refused at the door');
  if (isForUs(arrival)) {
    const allow = failure.code === 'method-not-allowed' ? allowHeader(arrival) : [];
    respondProblem(arrival, failure, { headers: allow, unread: as.unread === true });
    return Promise.resolve();
  }
  const encoded = refusalCodec(as.era).encodeFailure(failure, { id: as.id ?? null, requestId: arrival.id });
  const answer = as.status === undefined ? encoded : { ...encoded, status: as.status };
  const headers = failure.code === 'method-not-allowed' ? allowHeader(arrival) : [];
  return as.unread === true ? respondUnread(arrival, answer) : respond(arrival, answer, headers);
}

/** For what is answered without the pipeline, and so recorded by nobody else. */
export function noteRefusal(arrival: Arrival, code: FailureCode): void {
  const { parts, request, route } = arrival;
  const endpoint = route?.kind === 'mcp' ? { endpoint: route.endpoint } : {};
  const method = request.method === undefined ? {} : { method: request.method };
  parts.note({ kind: 'refused-early', stage: 'door', code, ...sourceOf(arrival), ...endpoint, ...method });
}

/** For the record. */
export const sourceOf = (arrival: Arrival): Required<Pick<EventSource, 'address' | 'requestId'>> => ({
  address: addressOf(arrival),
  requestId: arrival.id,
});

const reasonOf = ({ reason, message }: Failure): { readonly reason?: string } => {
  const why = reason ?? message;
  return why === undefined ? {} : { reason: why };
};

const LONGEST_LOGGED_PATH = 200;

/** Without the query, where some put their tokens. */
const pathOf = ({ request }: Arrival): string =>
  (request.url ?? '').split('?', 1)[0]?.slice(0, LONGEST_LOGGED_PATH) ?? '';

/** Whoever speaks no revision yet is answered as a legacy client: those errors every client can read. */
export const refusalCodec = (era: Era = 'legacy'): ServerCodec =>
  serverCodecFor(era === 'modern' ? NEWEST_MODERN : NEWEST_LEGACY);

/** Writes a finished answer. */
export function respond(arrival: Arrival, answer: EncodedAnswer, headers: readonly string[] = []): Promise<void> {
  return writeAnswer(arrival.response, answer, {
    headers: [...commonHeaders(arrival), ...headers],
    writeTimeoutMs: arrival.parts.limits.writeTimeoutMs,
  });
}

/** An answer without a body: 200, 202 or 204. */
export function respondEmpty(arrival: Arrival, status: number, headers: readonly string[] = []): void {
  const { response } = arrival;
  if (response.destroyed || response.headersSent) return;
  const length = status === 204 ? [] : ['Content-Length', '0'];
  response.writeHead(status, [...length, ...commonHeaders(arrival), ...headers]);
  response.end();
}

async function respondUnread(arrival: Arrival, answer: EncodedAnswer): Promise<void> {
  const { request, response } = arrival;
  if (response.destroyed || response.headersSent) return;
  const body = Buffer.concat(answer.body.chunks.map((chunk) => Buffer.from(chunk)));
  const common = ['Content-Type', 'application/json', 'Content-Length', String(body.length), 'Connection', 'close'];
  const extra = Object.entries(answer.headers).flat();
  response.writeHead(answer.status, [...common, ...arrival.cors, ...extra]);
  response.write(body);
  lingeringEnd(request, response);
}

/** On every answer: CORS, and the end of the connection while we shut down. */
export function commonHeaders(arrival: Arrival): readonly string[] {
  return arrival.parts.isDraining() ? [...arrival.cors, 'Connection', 'close'] : arrival.cors;
}

/** `WWW-Authenticate` for what a new token would mend (RFC 9728 section 5.1): none at all, or one with more scopes. */
export function challenge(arrival: EndpointArrival, failure: Failure): readonly string[] {
  const { code } = failure;
  if (FAILURES[code].status !== 401 && code !== 'insufficient-scope') return [];
  const { metadata } = arrival.parts;
  const error = bearerError(code);
  const value = bearerChallenge({
    resourceMetadataUrl: metadata.urlOf(arrival.route.path),
    // Without a token only what holds for every endpoint is told, so that no server can be made out by its scopes.
    scope: code === 'insufficient-scope' ? scopesOf(failure) : metadata.scopes,
    ...(error === undefined ? {} : { error }),
  });
  return ['WWW-Authenticate', value];
}

function scopesOf({ data }: Failure): readonly string[] {
  const scopes = data?.['scopes'];
  return Array.isArray(scopes) ? scopes.filter((scope) => typeof scope === 'string') : [];
}

/** RFC 9110 section 15.5.6. Streams and session ends exist only for legacy sessions, which the request did not name. */
function allowHeader(arrival: Arrival): readonly string[] {
  const { method } = arrival.request;
  if (arrival.route?.kind === 'sse') return ['Allow', arrival.route.place === 'stream' ? 'GET' : 'POST'];
  if (isForUs(arrival)) return ['Allow', method === 'POST' ? 'GET, HEAD' : 'POST'];
  return ['Allow', method === 'GET' || method === 'DELETE' ? 'POST' : 'GET, POST, DELETE, OPTIONS'];
}

const NOTHING_PRESENTED: PresentedCredentials = {};

export function presentedBy({ headers, request }: Arrival): PresentedCredentials {
  const { authorization, forwardedCertificate } = headers;
  // What is no bearer token counts as an empty one: a caller that meant to be a user is not taken for its workload.
  const user =
    authorization === undefined ? NOTHING_PRESENTED : { bearer: new Secret(bearerToken(authorization) ?? '') };
  const ofConnection = certificatesOf(request.socket);
  if (forwardedCertificate === undefined && ofConnection.certificates === undefined) return user;
  return { ...user, ...ofConnection, ...(forwardedCertificate === undefined ? {} : { forwardedCertificate }) };
}

/** The peer's own address: forwarding headers are anyone's word, other than a replica's of ours. */
export const addressOf = ({ request, pass }: Arrival): string => pass?.address ?? request.socket.remoteAddress ?? '';
