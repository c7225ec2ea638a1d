/** What a client asks for, in one language for every revision. The entrypoint decodes into it, an upstream encodes from it. */

import { administrativeMethod, type AdministrativeAct } from './administration.ts';
import type { Json, JsonObject } from './json.ts';
import type { LogLevel } from './log-level.ts';
import type { Era } from './revision.ts';
import type { TaskRef, TaskVerb } from './task.ts';

export type ListKind = 'tools' | 'prompts' | 'resources' | 'templates';

export const LIST_KINDS: readonly ListKind[] = ['tools', 'prompts', 'resources', 'templates'];

/** Where a list goes on: structured here, sealed on the wire. */
export type Cursor = { readonly offset: number; readonly generation: string };

export type PromptOrTemplateRef =
  | { readonly kind: 'prompt'; readonly name: string }
  | { readonly kind: 'template'; readonly uri: string };

/** `notifications` of `subscriptions/listen` (MCP 2026-07-28). A legacy client's GET stream asks for nothing by name. */
export type SubscriptionFilter = {
  readonly toolsListChanged?: boolean;
  readonly promptsListChanged?: boolean;
  readonly resourcesListChanged?: boolean;
  readonly resourceSubscriptions?: readonly string[];
  readonly taskIds?: readonly string[];
};

/** `extra` is what a request carried beside the fields we know (never `_meta`): it travels on unchanged. */
export type Operation =
  | { readonly kind: 'discover' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'list'; readonly of: ListKind; readonly cursor?: Cursor }
  | { readonly kind: 'call-tool'; readonly name: string; readonly arguments: JsonObject; readonly extra?: JsonObject }
  | { readonly kind: 'get-prompt'; readonly name: string; readonly arguments: JsonObject; readonly extra?: JsonObject }
  | { readonly kind: 'read-resource'; readonly uri: string; readonly extra?: JsonObject }
  | {
      readonly kind: 'complete-argument';
      readonly ref: PromptOrTemplateRef;
      readonly argument: JsonObject;
      readonly context?: Json;
    }
  | { readonly kind: 'listen'; readonly filter: SubscriptionFilter }
  /** Of a legacy session, whose stream then tells of the resource. */
  | { readonly kind: 'subscribe'; readonly uri: string }
  | { readonly kind: 'unsubscribe'; readonly uri: string }
  | {
      readonly kind: 'task';
      readonly verb: TaskVerb;
      /** As the client wrote it. */
      readonly taskId: string;
      /** What it stands for. Absent where it is none of ours: then there is no such task. */
      readonly ref?: TaskRef;
      /** `inputResponses` of an update. */
      readonly params: JsonObject;
    }
  | { readonly kind: 'notify'; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'end-session' }
  /** Of a legacy session; modern requests say it each for itself. */
  | { readonly kind: 'set-log-level'; readonly level: LogLevel }
  | { readonly kind: 'extension'; readonly method: string; readonly params: JsonObject }
  /** Of the gateway itself. No MCP message decodes to it: the API and the pages make it. */
  | { readonly kind: 'administer'; readonly act: AdministrativeAct };

export type OperationKind = Operation['kind'];

const LIST_METHODS = {
  tools: 'tools/list',
  prompts: 'prompts/list',
  resources: 'resources/list',
  templates: 'resources/templates/list',
} as const satisfies Record<ListKind, string>;

/** The MCP method an operation stands for: metric label, span name, record. A legacy client discovers by `initialize`. */
export function methodOf(operation: Operation, era: Era): string {
  switch (operation.kind) {
    case 'discover':
      return era === 'legacy' ? 'initialize' : 'server/discover';
    case 'ping':
      return 'ping';
    case 'list':
      return LIST_METHODS[operation.of];
    case 'call-tool':
      return 'tools/call';
    case 'get-prompt':
      return 'prompts/get';
    case 'read-resource':
      return 'resources/read';
    case 'complete-argument':
      return 'completion/complete';
    case 'listen':
      return 'subscriptions/listen';
    case 'subscribe':
    case 'unsubscribe':
      return `resources/${operation.kind}`;
    case 'task':
      return `tasks/${operation.verb}`;
    case 'end-session':
      return 'session/end';
    case 'set-log-level':
      return 'logging/setLevel';
    case 'notify':
    case 'extension':
      return operation.method;
    case 'administer':
      return administrativeMethod(operation.act);
  }
}
