/**
 * What a server asks of the person behind a call (MCP 2026-07-28, basic/patterns/mrtr): which questions it may ask, on what
 * condition they go on to the client, and how answers find back to the server that asked.
 */

import type { Call, SendOptions } from '../model/call.ts';
import { askableCapabilities, elicitationModes, linkQuestion, OWN_KEY_PREFIX } from '../model/elicitation.ts';
import { failure, refuse, type Failure } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { OperationKind } from '../model/operation.ts';
import type { InputRequests, InputRequired, Outcome } from '../model/outcome.ts';
import { relatedTask } from '../model/task.ts';

/** In one round; a form can hold as many fields as it likes. */
const MAX_REQUESTS = 16;
/** It travels inside our own sealed state, which has a bound too. */
const MAX_STATE_BYTES = 16 * 1024;

const MAY_ASK: ReadonlySet<OperationKind> = new Set(['call-tool', 'get-prompt', 'read-resource'] as const);

const URL_ELICITATION_REQUIRED = -32042;

const NOTHING: JsonObject = Object.freeze({});

/**
 * What the server is told that it may ask: what this client can answer, in the requests that may be answered with a question.
 * Never in a call that somebody had to approve: its continuation could be sent again, and the approval was for one call.
 */
export function capabilitiesOf({ intent, client }: Call): JsonObject {
  const { operation, obligations } = intent.permit;
  return MAY_ASK.has(operation.kind) && obligations.length === 0 ? askableCapabilities(client) : NOTHING;
}

export type UpstreamAnswers = { readonly responses: JsonObject; readonly state?: string };

/** @throws Refusal `invalid-state` for answers to another server, or to one that has changed since it asked */
export function answersFor({ entry, intent }: Call, { answers }: SendOptions): UpstreamAnswers | undefined {
  if (answers === undefined) return undefined;
  const { continuation, responses } = answers;
  // What was approved is the call as it was shown, without answers that nobody saw.
  if (continuation === undefined) {
    return intent.permit.obligations.length > 0 ? undefined : { responses: ofTheServer(responses) };
  }
  if (continuation.kind !== 'upstream') return undefined;
  const { server } = entry;
  if (continuation.server !== server.id || continuation.version !== server.version) {
    throw refuse('invalid-state', { reason: 'the state belongs to another server, or to another version of it' });
  }
  const { state } = continuation;
  const own = { responses: ofTheServer(responses) };
  return state === undefined ? own : { ...own, state };
}

/** Answers to the gateway's own questions are no server's to read. */
export const ofTheServer = (responses: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(responses).filter(([key]) => !key.startsWith(OWN_KEY_PREFIX)));

/**
 * May a legacy server's question in the middle of this call be asked? Also where the call was approved: it stays the same
 * call, and goes on once.
 */
export function mayAskDuring(call: Call, declared: JsonObject, { method, params }: Question): boolean {
  const { intent, client, step } = call;
  if (!MAY_ASK.has(intent.permit.operation.kind) && step?.verb !== 'result') return false;
  // Of a task, whoever's stream it comes on: nobody but its own client is asked.
  const task = relatedTask(params);
  if (task !== undefined && task !== step?.ref.id) return false;
  return mayBeAsked(declared, method, params) && mayBeAsked(askableCapabilities(client), method, params);
}

type Question = { readonly method: string; readonly params: JsonObject };

/** A question goes on as one that this server asked; one that the client was never able to answer ends the call. */
export function tiedToServer(call: Call, answered: Outcome): Outcome {
  const outcome = withLinks(call, answered);
  if (outcome.kind !== 'input-required') return outcome;
  const fault = faultOf(call, outcome);
  if (fault !== undefined) return { kind: 'failed', failure: fault };
  const { id, version } = call.entry.server;
  const { requests, state } = outcome;
  const own = { kind: 'upstream', server: id, version } as const;
  return { kind: 'input-required', requests, continuation: state === undefined ? own : { ...own, state } };
}

/**
 * "Visit these pages first", the error of 2025-11-25 (client/elicitation, URL Elicitation Required Error). A modern client is
 * asked to, and its retry is the call made anew; one of 2025-11-25 knows the error. An approval is for one call, so where one
 * was used the error stays one.
 */
function withLinks(call: Call, outcome: Outcome): Outcome {
  if (outcome.kind !== 'failed' || outcome.failure.upstream?.code !== URL_ELICITATION_REQUIRED) return outcome;
  const links = linksOf(outcome.failure.upstream.data);
  if (links === undefined) {
    const message = 'The server wants pages to be visited first, and named none that can be.';
    return { kind: 'failed', failure: failure('upstream-invalid', { sent: 'yes', message }) };
  }
  if (!elicitationModes(call.client).url) {
    const message = 'The server wants a page to be visited first, which this client cannot show (elicitation.url).';
    return { kind: 'failed', failure: failure('missing-capability', { sent: 'yes', message }) };
  }
  const { permit } = call.intent;
  const isAsked = call.client.era === 'modern' && permit.obligations.length === 0 && MAY_ASK.has(permit.operation.kind);
  return isAsked ? { kind: 'input-required', requests: links } : outcome;
}

function linksOf(data: Json | undefined): InputRequests | undefined {
  const listed = isJsonObject(data) ? data.elicitations : undefined;
  if (!Array.isArray(listed) || listed.length === 0 || listed.length > MAX_REQUESTS) return undefined;
  const links: Record<string, Question> = {};
  for (const [index, link] of (listed as readonly Json[]).entries()) {
    if (!isJsonObject(link) || typeof link.url !== 'string' || typeof link.message !== 'string') return undefined;
    if (!/^https?:/i.test(link.url)) return undefined;
    links[`link-${index + 1}`] = linkQuestion(link.message, link.url);
  }
  return links;
}

function faultOf(call: Call, { requests, state }: InputRequired): Failure | undefined {
  if (state !== undefined && Buffer.byteLength(JSON.stringify(state)) > MAX_STATE_BYTES) {
    return broken(`The server's requestState has more than ${MAX_STATE_BYTES} bytes.`);
  }
  return questionsFault(requests, capabilitiesOf(call));
}

const broken = (message: string): Failure => failure('upstream-invalid', { sent: 'yes', message });

/** Why a server's questions go no further: too many, under a name of ours, or beyond what it was told it may ask. */
export function questionsFault(requests: InputRequests, capabilities: JsonObject): Failure | undefined {
  const asked = Object.entries(requests);
  if (asked.length > MAX_REQUESTS) return broken(`The server asked ${asked.length} questions at once.`);
  if (asked.some(([key]) => key.startsWith(OWN_KEY_PREFIX))) {
    return broken("The server's question bears a name that is the gateway's own.");
  }
  const beyond = asked.find(([, { method, params }]) => !mayBeAsked(capabilities, method, params));
  return beyond && broken(`The server asked ${beyond[1].method}, which it was not told that the client can answer.`);
}

function mayBeAsked(capabilities: JsonObject, method: string, params: JsonObject): boolean {
  switch (method) {
    case 'elicitation/create': {
      const modes = capabilities.elicitation;
      return typeof modes === 'object' && modes !== null && (params.mode === 'url' ? 'url' : 'form') in modes;
    }
    case 'sampling/createMessage':
      return capabilities.sampling !== undefined;
    case 'roots/list':
      return capabilities.roots !== undefined;
    default:
      return false;
  }
}
