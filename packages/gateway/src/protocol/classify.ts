/**
 * Which era a request belongs to: decided once, here, from the method, the MCP headers and the parsed body. The body is
 * the source of truth, headers are checked against it (MCP 2026-07-28, basic/versioning; basic/transports/
 * streamable-http, Server Validation). Pure, and never throws.
 */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import {
  isLegacyRevision,
  isModernRevision,
  LEGACY_REVISIONS,
  MODERN_REVISIONS,
  NEWEST_LEGACY,
  NEWEST_MODERN,
  type Era,
  type LegacyRevision,
  type ModernRevision,
} from '../model/revision.ts';
import { decodeHeaderValue } from './header-value.ts';
import { readMessage, type JsonRpcId, type RpcMessage, type RpcNotification, type RpcRequest } from './json-rpc.ts';
import type { McpHeaders } from './mcp-headers.ts';

export type Inbound = {
  readonly httpMethod: string;
  readonly headers: McpHeaders;
  /** What `parseJson` made of the body; undefined when there is none. */
  readonly body?: Json | undefined;
};

export type ClassifyLimits = { readonly maxBatchMessages: number };

type SessionRequest = { readonly sessionId: string; readonly versionHeader?: string };

/** The answers are for `serverCodecFor`: `revision` for modern, `negotiated` or the session's for legacy, `era` for refusals. */
export type Classified =
  | { readonly kind: 'modern'; readonly revision: ModernRevision; readonly message: RpcRequest | RpcNotification }
  /** Opens a legacy session. Any session id that came with it is ignored. */
  | { readonly kind: 'initialize'; readonly message: RpcRequest }
  /** POST within a legacy session. Call `checkSessionRequest` once the session is open. */
  | (SessionRequest & {
      readonly kind: 'session-message';
      readonly messages: readonly RpcMessage[];
      readonly batch: boolean;
    })
  /** GET: the session's own stream. */
  | (SessionRequest & { readonly kind: 'session-stream' })
  /** DELETE: the end of the session. */
  | (SessionRequest & { readonly kind: 'session-end' })
  | { readonly kind: 'refused'; readonly era: Era; readonly id: JsonRpcId | null; readonly failure: Failure };

const VERSION_KEY = 'io.modelcontextprotocol/protocolVersion';
const CAPABILITIES_KEY = 'io.modelcontextprotocol/clientCapabilities';
const INFO_KEY = 'io.modelcontextprotocol/clientInfo';

/**
 * What a refused client may choose from. Modern clients are told the modern revisions only, as in `server/discover`: a
 * legacy one cannot be chosen for a request that describes itself. Newest first, because a client takes the first it knows.
 */
const SUPPORTED: Readonly<Record<Era, readonly string[]>> = {
  modern: MODERN_REVISIONS.toReversed(),
  legacy: LEGACY_REVISIONS.toReversed(),
};

/** The era in which to refuse a request whose body could not be read. */
export const eraOfHeaders = (headers: McpHeaders): Era => (saysModern(headers) ? 'modern' : 'legacy');

/** Revisions are dates, so their order is the order of their text. */
const isAfterLegacy = (version: string): boolean => version > NEWEST_LEGACY;

const saysModern = (headers: McpHeaders): boolean =>
  headers.protocolVersion === undefined ? headers.method !== undefined : isAfterLegacy(headers.protocolVersion);

const refused = (era: Era, id: JsonRpcId | null, why: Failure): Classified => ({
  kind: 'refused',
  era,
  id,
  failure: why,
});

const mismatch = (message: string): Failure => failure('header-mismatch', { message });

const unsupported = (requested: string): Failure => {
  const supported = SUPPORTED[isAfterLegacy(requested) ? 'modern' : 'legacy'];
  return failure('unsupported-version', {
    message: `Protocol version ${JSON.stringify(requested)} is not supported. Supported: ${supported.join(', ')}.`,
    data: { supported, requested },
  });
};

/** Decides the era of one HTTP request, and refuses what neither era allows. */
export function classify(inbound: Inbound, limits: ClassifyLimits): Classified {
  const { headers } = inbound;
  const era = eraOfHeaders(headers);
  if (headers.repeated !== undefined) {
    return refused(era, idOf(inbound.body), mismatch(`The header ${headers.repeated} was sent more than once.`));
  }
  if (inbound.httpMethod !== 'POST') return classifyBodiless(inbound.httpMethod, headers, era);
  if (Array.isArray(inbound.body)) return classifyBatch(inbound.body as readonly Json[], headers, limits);
  const read = readMessage(inbound.body);
  if (!read.ok) return refused(era, read.error.id, read.error.failure);
  return classifyMessage(read.value, headers);
}

const idOf = (body: Json | undefined): JsonRpcId | null =>
  isJsonObject(body) && (typeof body.id === 'string' || typeof body.id === 'number') ? body.id : null;

function classifyBodiless(httpMethod: string, headers: McpHeaders, era: Era): Classified {
  const wanted = httpMethod === 'GET' ? 'session-stream' : httpMethod === 'DELETE' ? 'session-end' : undefined;
  // Without a session there is nothing to stream and nothing to end; the modern era knows neither method.
  if (wanted === undefined || headers.sessionId === undefined || saysModern(headers)) {
    return refused(era, null, failure('method-not-allowed'));
  }
  return { kind: wanted, ...sessionOf(headers, headers.sessionId) };
}

const sessionOf = (headers: McpHeaders, sessionId: string): SessionRequest =>
  headers.protocolVersion === undefined ? { sessionId } : { sessionId, versionHeader: headers.protocolVersion };

function classifyMessage(message: RpcMessage, headers: McpHeaders): Classified {
  if (message.kind === 'response') return classifyLegacy(message, headers);
  const meta = message.params._meta;
  const envelope = isJsonObject(meta) ? meta : undefined;
  const claim = envelope?.[VERSION_KEY];
  const claimed = claim !== undefined && !(typeof claim === 'string' && isLegacyRevision(claim));
  if (message.kind === 'notification') {
    // Header rules for posted notifications are not defined (streamable-http, Sending Messages): checked where present.
    return claimed || saysModern(headers)
      ? classifyModernNotification(message, claim, headers)
      : classifyLegacy(message, headers);
  }
  // `initialize` opens a legacy session, unless the request describes itself as a modern one must.
  if (message.method === 'initialize' && !claimed) return classifyInitialize(message, headers);
  if (claimed && envelope !== undefined) return classifyModern(message, envelope, headers);
  if (saysModern(headers) || message.method === 'server/discover') {
    return refuseWithoutEnvelope(message, claim, headers);
  }
  return classifyLegacy(message, headers);
}

function classifyInitialize(message: RpcRequest, headers: McpHeaders): Classified {
  if (headers.protocolVersion !== undefined && isModernRevision(headers.protocolVersion)) {
    const why =
      'initialize belongs to revisions before 2026-07-28, but the MCP-Protocol-Version header names a later one.';
    return refused('modern', message.id, mismatch(why));
  }
  return { kind: 'initialize', message };
}

function refuseWithoutEnvelope(message: RpcRequest, claim: Json | undefined, headers: McpHeaders): Classified {
  const version = headers.protocolVersion;
  if (version !== undefined && typeof claim === 'string') {
    return refused('modern', message.id, versionMismatch(version, claim));
  }
  if (version !== undefined && !isModernRevision(version)) return refused('modern', message.id, unsupported(version));
  return refused('modern', message.id, failure('invalid-envelope'));
}

function classifyLegacy(message: RpcMessage, headers: McpHeaders): Classified {
  const id = message.kind === 'request' ? message.id : null;
  if (headers.sessionId === undefined) {
    if (message.kind === 'response' && saysModern(headers)) {
      const why = 'Responses cannot be posted in this protocol revision; answers travel in inputResponses.';
      return refused('modern', null, failure('invalid-request', { message: why }));
    }
    const version = headers.protocolVersion;
    if (version !== undefined && !isLegacyRevision(version)) return refused('legacy', id, unsupported(version));
    return refused('legacy', id, failure('session-required'));
  }
  return { kind: 'session-message', messages: [message], batch: false, ...sessionOf(headers, headers.sessionId) };
}

function classifyBatch(body: readonly Json[], headers: McpHeaders, limits: ClassifyLimits): Classified {
  const era = eraOfHeaders(headers);
  // Only revision 2025-03-26 has batches, and `initialize` may not stand in one: without a session there is none.
  if (headers.sessionId === undefined || era === 'modern') return refused(era, null, failure('batch-refused'));
  if (body.length === 0) return refused(era, null, failure('invalid-request', { message: 'The batch is empty.' }));
  if (body.length > limits.maxBatchMessages) {
    const why = `The batch holds ${body.length} messages; at most ${limits.maxBatchMessages} are accepted.`;
    return refused(era, null, failure('batch-refused', { message: why }));
  }
  const messages: RpcMessage[] = [];
  for (const element of body) {
    const read = readMessage(element);
    if (!read.ok) return refused(era, null, read.error.failure);
    if (read.value.kind === 'request' && read.value.method === 'initialize') {
      const why = 'initialize must not be part of a batch.';
      return refused(era, null, failure('invalid-request', { message: why }));
    }
    messages.push(read.value);
  }
  return { kind: 'session-message', messages, batch: true, ...sessionOf(headers, headers.sessionId) };
}

function classifyModernNotification(
  message: RpcNotification,
  claim: Json | undefined,
  headers: McpHeaders,
): Classified {
  const version = claim ?? headers.protocolVersion;
  if (typeof version !== 'string') return refused('modern', null, failure('invalid-envelope'));
  if (headers.protocolVersion !== undefined && headers.protocolVersion !== version) {
    return refused('modern', null, versionMismatch(headers.protocolVersion, version));
  }
  if (!isModernRevision(version)) return refused('modern', null, unsupported(version));
  if (headers.method !== undefined && headers.method !== message.method) {
    return refused('modern', null, mismatch(`The Mcp-Method header differs from the body's method.`));
  }
  return { kind: 'modern', revision: version, message };
}

function classifyModern(message: RpcRequest, meta: JsonObject, headers: McpHeaders): Classified {
  const version = meta[VERSION_KEY];
  if (typeof version !== 'string')
    return invalidEnvelope(message.id, `params._meta["${VERSION_KEY}"] must be a string.`);
  const wrong = envelopeFault(meta);
  if (wrong !== undefined) return invalidEnvelope(message.id, wrong);
  if (headers.protocolVersion !== undefined && headers.protocolVersion !== version) {
    return refused('modern', message.id, versionMismatch(headers.protocolVersion, version));
  }
  if (!isModernRevision(version)) return refused('modern', message.id, unsupported(version));
  const why = headerFault(message, headers);
  return why === undefined
    ? { kind: 'modern', revision: version, message }
    : refused('modern', message.id, mismatch(why));
}

const versionMismatch = (header: string, body: string): Failure =>
  mismatch(`The MCP-Protocol-Version header says ${JSON.stringify(header)}, the body says ${JSON.stringify(body)}.`);

const invalidEnvelope = (id: JsonRpcId, message: string): Classified =>
  refused('modern', id, failure('invalid-envelope', { message }));

/** MCP 2026-07-28, basic, Per-request protocol fields. */
function envelopeFault(meta: JsonObject): string | undefined {
  if (!isJsonObject(meta[CAPABILITIES_KEY])) return `params._meta["${CAPABILITIES_KEY}"] must be an object.`;
  const info = meta[INFO_KEY];
  if (info === undefined) return undefined;
  return isJsonObject(info) && typeof info.name === 'string' && typeof info.version === 'string'
    ? undefined
    : `params._meta["${INFO_KEY}"] must be an object with the strings name and version.`;
}

/** The parameter that `Mcp-Name` repeats. Tasks are named by their id (tasks extension, Routing Headers). */
export const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
};

function headerFault(message: RpcRequest, headers: McpHeaders): string | undefined {
  if (headers.protocolVersion === undefined)
    return `The MCP-Protocol-Version header is missing; send ${NEWEST_MODERN}.`;
  if (headers.method === undefined) return `The Mcp-Method header is missing; send the body's method.`;
  if (headers.method !== message.method) return `The Mcp-Method header differs from the body's method.`;
  const parameter = NAMED_BY[message.method];
  if (parameter === undefined) return undefined;
  if (headers.name === undefined) return `The Mcp-Name header is missing; send the value of params.${parameter}.`;
  const decoded = decodeHeaderValue(headers.name);
  if (decoded === undefined) return 'The Mcp-Name header holds characters or base64 that are not allowed.';
  const inBody = message.params[parameter];
  // A body without the name is refused by the codec, which says which parameter is missing.
  return typeof inBody === 'string' && decoded !== inBody
    ? `The Mcp-Name header differs from params.${parameter}.`
    : undefined;
}

/** What only the opened session can decide: the version header and whether batches exist. */
export function checkSessionRequest(
  request: Extract<Classified, SessionRequest>,
  revision: LegacyRevision,
): Failure | undefined {
  const version = request.versionHeader;
  // 2025-03-26 does not know the header. Later revisions refuse what they do not speak; the negotiated revision counts,
  // so an absent header, or one that names another legacy revision, changes nothing.
  if (version !== undefined && revision !== '2025-03-26' && !isLegacyRevision(version)) return unsupported(version);
  if (request.kind === 'session-message' && request.batch && revision !== '2025-03-26') return failure('batch-refused');
  return undefined;
}
