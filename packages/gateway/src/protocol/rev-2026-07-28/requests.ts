/** Requests of 2026-07-28 clients: every one describes itself in `params._meta`, which `classify` has checked. */

import { failure, type Failure } from '../../model/failure.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { isLogLevel } from '../../model/log-level.ts';
import type { Operation, OperationKind } from '../../model/operation.ts';
import type { Answers } from '../../model/outcome.ts';
import type { ClientFacts, RequestMeta } from '../../model/request.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { takesTasks, TASKS_CAPABILITY, TASKS_EXTENSION, type TaskVerb } from '../../model/task.ts';
import type { DecodeContext, Decoded } from '../codec.ts';
import { readFilter } from '../changes.ts';
import { decodeCoreOperation, extensionOperation, type CoreOperation } from '../core-methods.ts';
import type { RpcMessage, RpcRequest } from '../json-rpc.ts';
import { readMeta } from '../request-meta.ts';

/**
 * Methods that this revision removed, those that only servers may ask for, and features that we do not offer. They are
 * refused here, so that no upstream is asked for what the client was told does not exist.
 */
const NOT_OFFERED: ReadonlySet<string> = new Set([
  'initialize',
  'ping',
  'logging/setLevel',
  'resources/subscribe',
  'resources/unsubscribe',
  'tasks/list',
  'tasks/result',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
]);

/**
 * The client's side of a multi-round-trip request. Answers to questions that we never asked are not passed on; nor is `task`,
 * by which clients of 2025-11-25 asked for one: a server of that revision would take it for our word.
 */
const OWN_PARAMS: ReadonlySet<string> = new Set(['inputResponses', 'requestState', 'task']);

const TASK_VERBS: ReadonlyMap<string, TaskVerb> = new Map([
  ['tasks/get', 'get'],
  ['tasks/update', 'update'],
  ['tasks/cancel', 'cancel'],
]);

/** The methods that may be answered with a question (basic/patterns/mrtr, Supported Requests). */
const MAY_ASK: ReadonlySet<OperationKind> = new Set(['call-tool', 'get-prompt', 'read-resource'] as const);

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});
const NOBODY: readonly string[] = Object.freeze([]);

export function decode(message: RpcMessage, context: DecodeContext): Decoded {
  if (message.kind === 'notification') return message;
  if (message.kind === 'response') {
    const why = 'Responses cannot be posted in this protocol revision; answers travel in inputResponses.';
    return { kind: 'refused', id: null, failure: failure('invalid-request', { message: why }) };
  }
  return decodeRequest(message, context);
}

function decodeRequest(message: RpcRequest, context: DecodeContext): Decoded {
  const { id, method, params } = message;
  if (NOT_OFFERED.has(method)) return { kind: 'refused', id, failure: failure('method-not-found') };
  const core = coreOf(method, params, context);
  if (core !== undefined && !core.ok) return { kind: 'refused', id, failure: core.error };
  const { operation, sealedFor } = core?.value ?? otherOperation(method, params);
  const meta = isJsonObject(params._meta) ? params._meta : {};
  const decoded = {
    kind: 'request',
    id,
    method,
    operation,
    meta: metaOf(meta, context),
    client: clientOf(meta),
  } as const;
  if (params.requestState === undefined) {
    // They belong to no question of ours. A server may have told its questions by other ways, and looks for itself.
    const { inputResponses: responses } = params;
    const unasked = isJsonObject(responses) && MAY_ASK.has(operation.kind);
    return unasked ? { ...decoded, sealedFor, answers: { responses } } : { ...decoded, sealedFor };
  }
  const answers = answersOf(params, operation, context);
  return { ...decoded, sealedFor: [...sealedFor, ...answers.sealedFor], answers: answers.answers };
}

/** Undefined for a method that stands in no table here. */
function coreOf(
  method: string,
  params: JsonObject,
  context: DecodeContext,
): Result<CoreOperation, Failure> | undefined {
  const verb = TASK_VERBS.get(method);
  if (verb !== undefined) return decodeTask(verb, params, context);
  if (method === 'subscriptions/listen') return listenOperation(params);
  return decodeCoreOperation(method, params, { seals: context.seals, ownParams: OWN_PARAMS });
}

function listenOperation({ notifications }: JsonObject): Result<CoreOperation, Failure> {
  const filter = readFilter(notifications);
  return filter.ok ? ok({ operation: { kind: 'listen', filter: filter.value }, sealedFor: NOBODY }) : filter;
}

type ReadAnswers = { readonly answers: Answers; readonly sealedFor: readonly string[] };

const NO_RESPONSES: JsonObject = Object.freeze({});

/** What is wrong with a state is decided here, and told to nobody before it is known who sent it. */
function answersOf(params: JsonObject, operation: Operation, { seals }: DecodeContext): ReadAnswers {
  const { requestState, inputResponses } = params;
  const unusable = (fault: string): ReadAnswers => ({ answers: { responses: NO_RESPONSES, fault }, sealedFor: NOBODY });
  if (typeof requestState !== 'string') return unusable('requestState is no string');
  if (!MAY_ASK.has(operation.kind)) return unusable('requestState on a method that never asks');
  const opened = seals.state.open(requestState, operation);
  if (!opened.ok) return unusable(opened.error);
  const { continuation, sealedFor } = opened.value;
  const responses = isJsonObject(inputResponses) ? inputResponses : NO_RESPONSES;
  return { answers: { continuation, responses }, sealedFor: [sealedFor] };
}

/** An id that is none of ours is told apart only once it is known who sent it (basic, tasks extension, Auth binding). */
function decodeTask(verb: TaskVerb, params: JsonObject, { seals }: DecodeContext): Result<CoreOperation, Failure> {
  const { taskId, inputResponses, _meta } = params;
  if (!takesTasks({ era: 'modern', capabilities: clientOf(isJsonObject(_meta) ? _meta : {}).capabilities ?? {} })) {
    const message = `This method needs the client to declare the extension ${TASKS_EXTENSION}.`;
    return err(failure('missing-capability', { message, data: { requiredCapabilities: TASKS_CAPABILITY } }));
  }
  if (typeof taskId !== 'string') return err(failure('invalid-params', { message: 'params.taskId must be a string.' }));
  if (verb === 'update' && !isJsonObject(inputResponses)) {
    return err(failure('invalid-params', { message: 'params.inputResponses must be an object.' }));
  }
  const opened = seals.task.open(taskId);
  const own = { kind: 'task', verb, taskId } as const;
  const operation: Operation = { ...own, params: isJsonObject(inputResponses) ? { inputResponses } : {} };
  if (opened === undefined) return ok({ operation, sealedFor: NOBODY });
  return ok({ operation: { ...operation, ref: opened.ref }, sealedFor: [opened.sealedFor] });
}

const otherOperation = (method: string, params: JsonObject): CoreOperation => ({
  operation: method === 'server/discover' ? { kind: 'discover' } : extensionOperation(method, params),
  sealedFor: NOBODY,
});

function metaOf(meta: JsonObject, context: DecodeContext): RequestMeta {
  const read = { ...readMeta(meta), paramHeaders: context.paramHeaders ?? NO_HEADERS };
  const logLevel = meta['io.modelcontextprotocol/logLevel'];
  return isLogLevel(logLevel) ? { ...read, logLevel } : read;
}

function clientOf(meta: JsonObject): Partial<Pick<ClientFacts, 'info' | 'capabilities'>> {
  const declared = meta['io.modelcontextprotocol/clientCapabilities'];
  const capabilities = isJsonObject(declared) ? declared : {};
  const info = meta['io.modelcontextprotocol/clientInfo'];
  if (!isJsonObject(info)) return { capabilities };
  const { name, version } = info;
  if (typeof name !== 'string' || typeof version !== 'string') return { capabilities };
  return { capabilities, info: { ...info, name, version } };
}
