/** What a client asks for, in one language for every revision. The entrypoint decodes into it, an upstream encodes from it. */

import type { Json, JsonObject } from './json.ts';

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

export type TaskVerb = 'get' | 'update' | 'cancel';

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
  | { readonly kind: 'task'; readonly verb: TaskVerb; readonly taskId: string; readonly params: JsonObject }
  | { readonly kind: 'notify'; readonly method: string; readonly params: JsonObject }
  | { readonly kind: 'end-session' }
  | { readonly kind: 'extension'; readonly method: string; readonly params: JsonObject };

export type OperationKind = Operation['kind'];
