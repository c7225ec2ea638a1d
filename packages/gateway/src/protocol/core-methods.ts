/**
 * The methods that every revision has, with the same parameters in all of them. What a revision adds around them
 * (envelopes, removed methods, parameters of its own) is in its folder.
 */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { ListKind, Operation, PromptOrTemplateRef } from '../model/operation.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Seals } from './codec.ts';

const LIST_METHODS: Readonly<Record<ListKind, string>> = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  templates: 'resources/templates/list',
};

/** The member of a list result that holds its entries. */
export const LIST_MEMBERS: Readonly<Record<ListKind, string>> = {
  tools: 'tools',
  prompts: 'prompts',
  resources: 'resources',
  templates: 'resourceTemplates',
};

export type CoreOperation = { readonly operation: Operation; readonly sealedFor: readonly string[] };
type Decoded = Result<CoreOperation, Failure>;

export type CoreContext = {
  readonly seals: Seals;
  /** Parameters that the revision gives a meaning of its own: they are not passed on as unknown ones. */
  readonly ownParams: ReadonlySet<string>;
};

const NOBODY: readonly string[] = Object.freeze([]);
const NO_ARGUMENTS: JsonObject = Object.freeze({});

const core = (operation: Operation): Decoded => ok({ operation, sealedFor: NOBODY });
const wrong = (message: string): Result<never, Failure> => err(failure('invalid-params', { message }));

type Decoder = (params: JsonObject, context: CoreContext) => Decoded;

const DECODERS: ReadonlyMap<string, Decoder> = new Map<string, Decoder>([
  ['tools/call', (params, context) => decodeNamed('call-tool', params, context)],
  ['prompts/get', (params, context) => decodeNamed('get-prompt', params, context)],
  ['resources/read', decodeRead],
  ['completion/complete', decodeComplete],
  ['tools/list', (params, context) => decodeList('tools', params, context)],
  ['prompts/list', (params, context) => decodeList('prompts', params, context)],
  ['resources/list', (params, context) => decodeList('resources', params, context)],
  ['resources/templates/list', (params, context) => decodeList('templates', params, context)],
]);

/** Undefined when the method is not one of those that all revisions share. */
export function decodeCoreOperation(method: string, params: JsonObject, context: CoreContext): Decoded | undefined {
  return DECODERS.get(method)?.(params, context);
}

/** What a request carried beside the parameters we know: it travels on unchanged. */
function extraOf(
  params: JsonObject,
  known: readonly string[],
  context: CoreContext,
): { extra: JsonObject } | undefined {
  let extra: Record<string, Json | undefined> | undefined;
  for (const key of Object.keys(params)) {
    if (key === '_meta' || known.includes(key) || context.ownParams.has(key)) continue;
    extra ??= {};
    extra[key] = params[key];
  }
  return extra === undefined ? undefined : { extra };
}

/**
 * A parameter whose name differs from one that we read only in case. It would travel on unread, and a server that ignores
 * case (Go's encoding/json does) would take it for the one that was judged.
 */
function lookAlike(params: JsonObject, known: readonly string[]): Decoded | undefined {
  for (const key in params) {
    if (known.includes(key) || key === '_meta') continue;
    const folded = key.normalize('NFKC').toLowerCase();
    const meant = folded === '_meta' ? folded : known.find((name) => name === folded);
    if (meant !== undefined) return wrong(`params has a member whose name differs from "${meant}" only in case.`);
  }
  return undefined;
}

const NAMED_PARAMS = ['name', 'arguments'];
const READ_PARAMS = ['uri'];

function decodeNamed(kind: 'call-tool' | 'get-prompt', params: JsonObject, context: CoreContext): Decoded {
  const { name } = params;
  if (typeof name !== 'string') return wrong('params.name must be a string.');
  const args = params.arguments ?? NO_ARGUMENTS;
  if (!isJsonObject(args)) return wrong('params.arguments must be an object.');
  const alike = lookAlike(params, NAMED_PARAMS);
  if (alike !== undefined) return alike;
  return core({ kind, name, arguments: args, ...extraOf(params, NAMED_PARAMS, context) });
}

function decodeRead(params: JsonObject, context: CoreContext): Decoded {
  const { uri } = params;
  if (typeof uri !== 'string') return wrong('params.uri must be a string.');
  const alike = lookAlike(params, READ_PARAMS);
  if (alike !== undefined) return alike;
  return core({ kind: 'read-resource', uri, ...extraOf(params, READ_PARAMS, context) });
}

function decodeList(of: ListKind, params: JsonObject, context: CoreContext): Decoded {
  const { cursor } = params;
  if (cursor === undefined) return core({ kind: 'list', of });
  if (typeof cursor !== 'string') return wrong('params.cursor must be a string.');
  const opened = context.seals.cursor.open(cursor);
  if (opened === undefined) return err(failure('invalid-cursor'));
  return ok({ operation: { kind: 'list', of, cursor: opened.cursor }, sealedFor: [opened.sealedFor] });
}

function decodeRef(ref: Json | undefined): PromptOrTemplateRef | undefined {
  if (!isJsonObject(ref)) return undefined;
  if (ref.type === 'ref/prompt' && typeof ref.name === 'string') return { kind: 'prompt', name: ref.name };
  if (ref.type === 'ref/resource' && typeof ref.uri === 'string') return { kind: 'template', uri: ref.uri };
  return undefined;
}

function decodeComplete(params: JsonObject): Decoded {
  const ref = decodeRef(params.ref);
  if (ref === undefined)
    return wrong('params.ref must be {"type":"ref/prompt","name"} or {"type":"ref/resource","uri"}.');
  const { argument, context } = params;
  if (!isJsonObject(argument) || typeof argument.name !== 'string' || typeof argument.value !== 'string') {
    return wrong('params.argument must be an object with the strings name and value.');
  }
  return core({ kind: 'complete-argument', ref, argument, ...(context === undefined ? {} : { context }) });
}

export type CoreRequest = { readonly method: string; readonly params: JsonObject };

const encodeRef = (ref: PromptOrTemplateRef): JsonObject =>
  ref.kind === 'prompt' ? { type: 'ref/prompt', name: ref.name } : { type: 'ref/resource', uri: ref.uri };

/**
 * The method and parameters of a request to an upstream, without `_meta`. Undefined for operations that not every revision
 * has. Arguments are those that were authorized, member for member.
 */
export function encodeCoreOperation(operation: Operation, upstreamCursor: string | undefined): CoreRequest | undefined {
  switch (operation.kind) {
    case 'call-tool':
      return {
        method: 'tools/call',
        params: { ...operation.extra, name: operation.name, arguments: operation.arguments },
      };
    case 'get-prompt':
      return {
        method: 'prompts/get',
        params: { ...operation.extra, name: operation.name, arguments: operation.arguments },
      };
    case 'read-resource':
      return { method: 'resources/read', params: { ...operation.extra, uri: operation.uri } };
    case 'list':
      // Our own cursor means nothing to the upstream.
      return {
        method: LIST_METHODS[operation.of],
        params: upstreamCursor === undefined ? {} : { cursor: upstreamCursor },
      };
    case 'complete-argument': {
      const { ref, argument, context } = operation;
      return {
        method: 'completion/complete',
        params: { ref: encodeRef(ref), argument, ...(context === undefined ? {} : { context }) },
      };
    }
    case 'extension':
      return { method: operation.method, params: operation.params };
    case 'subscribe':
    case 'unsubscribe':
      return { method: `resources/${operation.kind}`, params: { uri: operation.uri } };
    default:
      return undefined;
  }
}

/** Parameters of a method that we do not know. `_meta` is ours to write. */
export function extensionOperation(method: string, params: JsonObject): Operation {
  const { _meta: _ours, ...rest } = params;
  return { kind: 'extension', method, params: rest };
}
