/**
 * OpenID AuthZEN Authorization API 1.0, as far as it goes here: evaluations in, questions to the pipeline out, and back. A
 * question that cannot be read is answered by itself and spoils no other.
 */

import { API_KEY_ISSUER } from '../../authn/api-key-verifier.ts';
import type { AccessAnswer, AccessQuestion, AskedSubject, AskUntil } from '../../model/administration.ts';
import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import { err, ok, type Result } from '../../model/result.ts';

/** As AuthZEN names them, in MCP's words and in those of policies. */
const ACTIONS: ReadonlyMap<string, Asked> = new Map<string, Asked>([
  ['tools/call', 'tool'],
  ['callTool', 'tool'],
  ['prompts/get', 'prompt'],
  ['getPrompt', 'prompt'],
  ['resources/read', 'resource'],
  ['readResource', 'resource'],
]);

type Asked = 'tool' | 'prompt' | 'resource';

const MAX_TEXT = 2_048;
const MAX_LIST = 1_000;

export function parseEvaluation(evaluation: JsonObject): Result<AccessQuestion, string> {
  const { subject, action, resource, context = {} } = evaluation;
  const kind = isJsonObject(action) && isText(action.name) ? ACTIONS.get(action.name) : undefined;
  if (kind === undefined) return err(`action.name must be one of ${[...ACTIONS.keys()].join(', ')}.`);
  if (!isJsonObject(resource) || resource.type !== kind) return err(`resource.type must be "${kind}" for this action.`);
  const [server, name] = addressOf(resource.id);
  if (server === undefined || name === undefined) {
    return err('resource.id must be "<server>/<name>", for example "files/read_file".');
  }
  if (!isJsonObject(context)) return err('context must be an object.');
  const { arguments: args, surface } = context;
  if (args !== undefined && !isJsonObject(args)) return err('context.arguments must be an object.');
  if (surface !== undefined && !isText(surface)) return err('context.surface must be a text.');
  const who = parseSubject(subject);
  if (!who.ok) return who;
  return ok({
    server,
    operation: operationOf(kind, name, args ?? {}),
    argumentsKnown: args !== undefined || kind === 'resource',
    ...(who.value === undefined ? {} : { subject: who.value }),
    ...(surface === undefined ? {} : { surface }),
  });
}

/** The first `/` ends the id of the server; a URI may hold more of them. */
function addressOf(id: Json | undefined): readonly [string?, string?] {
  if (!isText(id)) return [];
  const slash = id.indexOf('/');
  return slash <= 0 || slash === id.length - 1 ? [] : [id.slice(0, slash), id.slice(slash + 1)];
}

function operationOf(kind: Asked, name: string, args: JsonObject): AccessQuestion['operation'] {
  if (kind === 'resource') return { kind: 'read-resource', uri: name };
  return { kind: kind === 'tool' ? 'call-tool' : 'get-prompt', name, arguments: args };
}

/** Absent: the caller. The id is spelt as in policies: `alice`, `<issuer>#<subject>`, `<tenant>#<issuer>#<subject>`. */
function parseSubject(subject: Json | undefined): Result<AskedSubject | undefined, string> {
  if (subject === undefined) return ok(undefined);
  if (!isJsonObject(subject)) return err('subject must be an object.');
  const { type, id, properties = {} } = subject;
  if (type !== 'user' && type !== 'workload') return err('subject.type must be "user" or "workload".');
  const named = isText(id) ? parseId(id) : undefined;
  if (named === undefined) return err('subject.id must be a name, or "<issuer>#<subject>" as policies write it.');
  if (!isJsonObject(properties)) return err('subject.properties must be an object.');
  const { groups, scopes, name, client, claims } = properties;
  if (!isTexts(groups)) return err('subject.properties.groups must be a list of texts.');
  if (!isTexts(scopes)) return err('subject.properties.scopes must be a list of texts.');
  if (name !== undefined && !isText(name)) return err('subject.properties.name must be a text.');
  if (client !== undefined && !isText(client)) return err('subject.properties.client must be a text.');
  if (claims !== undefined && !isJsonObject(claims)) return err('subject.properties.claims must be an object.');
  return ok({
    kind: type,
    ...named,
    ...(groups === undefined ? {} : { groups }),
    ...(scopes === undefined ? {} : { scopes }),
    ...(name === undefined ? {} : { name }),
    ...(client === undefined ? {} : { clientId: client }),
    ...(claims === undefined ? {} : { claims }),
  });
}

type Named = Pick<AskedSubject, 'issuer' | 'subject' | 'tenant'>;

function parseId(id: string): Named | undefined {
  const parts = id.split('#').map((part) => part.replaceAll('%23', '#').replaceAll('%25', '%'));
  const [first = '', second = '', third = ''] = parts;
  switch (parts.length) {
    case 1:
      return { issuer: API_KEY_ISSUER, subject: first };
    case 2:
      return { issuer: first, subject: second };
    case 3:
      return { tenant: first, issuer: second === '' ? API_KEY_ISSUER : second, subject: third };
    default:
      return undefined;
  }
}

const isText = (value: Json | undefined): value is string =>
  typeof value === 'string' && value !== '' && value.length <= MAX_TEXT;

const isTexts = (value: Json | undefined): value is readonly string[] | undefined =>
  value === undefined || (Array.isArray(value) && value.length <= MAX_LIST && value.every(isText));

const SEMANTICS: ReadonlyMap<Json | undefined, AskUntil> = new Map<Json | undefined, AskUntil>([
  [undefined, 'all'],
  ['execute_all', 'all'],
  ['deny_on_first_deny', 'first-deny'],
  ['permit_on_first_permit', 'first-permit'],
]);

export type Evaluations = {
  readonly until: AskUntil;
  readonly evaluations: readonly Result<AccessQuestion, string>[];
};

export const MAX_EVALUATIONS = 1_000;

/** What stands beside `evaluations` is each one's default. Undefined: there are none, so the body is one itself. */
export function parseEvaluations(body: JsonObject): Result<Evaluations | undefined, string> {
  const { evaluations, options = {}, ...defaults } = body;
  if (evaluations === undefined || (Array.isArray(evaluations) && evaluations.length === 0)) return ok(undefined);
  if (!Array.isArray(evaluations)) return err('evaluations must be a list.');
  if (evaluations.length > MAX_EVALUATIONS) return err(`At most ${MAX_EVALUATIONS} evaluations are answered at once.`);
  const until = isJsonObject(options) ? SEMANTICS.get(options.evaluations_semantic) : undefined;
  if (until === undefined) {
    return err('options.evaluations_semantic must be execute_all, deny_on_first_deny or permit_on_first_permit.');
  }
  const read = evaluations.map((one: Json) =>
    isJsonObject(one) ? parseEvaluation({ ...defaults, ...one }) : err('An evaluation must be an object.'),
  );
  return ok({ until, evaluations: read });
}

export type Decision = { readonly decision: boolean; readonly context?: JsonObject };

export function decisionOf({ decision, reason, message, approvals, policies }: AccessAnswer): Decision {
  const context: JsonObject = {
    ...(reason === undefined ? {} : { reason }),
    ...(message === undefined ? {} : { message }),
    ...(approvals.length === 0 ? {} : { approvals }),
    ...(policies === undefined ? {} : { policies }),
  };
  return Object.keys(context).length === 0 ? { decision } : { decision, context };
}

/** AuthZEN section 7.2.1: an evaluation that failed is a denial that says why. */
export const unreadable = (message: string): Decision => ({
  decision: false,
  context: { reason: 'invalid-request', message },
});
