/** What a request is about: entries of the catalog, named as policy and operators name them, not as clients do. */

import type { DeclaredArgument } from './argument-kind.ts';
import type { JsonObject } from './json.ts';

/** Lower-case letters, digits and `-`; never `_`, which separates server and tool in aggregate names. */
export type ServerId = string;

/** `/mcp` (everything the caller may see, names `<server>_<tool>`) or `/servers/{id}/mcp` (one server, its own names). */
export type Endpoint = { readonly kind: 'aggregate' } | { readonly kind: 'server'; readonly server: ServerId };

export type Risk = 'low' | 'medium' | 'high';

/** How sensitive what an entry handles is, the least first. */
export const CLASSIFICATIONS = ['public', 'internal', 'confidential', 'restricted'] as const;

export type Classification = (typeof CLASSIFICATIONS)[number];

/** The operator's word. An upstream's own annotations never lower protection. */
export type Traits = {
  readonly readOnly: boolean;
  readonly risk: Risk;
  readonly idempotent: boolean;
  readonly tags: readonly string[];
  readonly classification: Classification;
  /** OAuth scopes that a token must have for it, beside those of the gateway and of the server. */
  readonly scopes: readonly string[];
  /** For one call of it, in milliseconds, instead of the server's. */
  readonly timeoutMs?: number;
  /** Of a tool: what its callers get while its server does not answer. Default: the failure. */
  readonly onFailure?: OnFailure;
  /** An old answer of it would do harm: whatever `onFailure` says, there is none. */
  readonly noStale?: boolean;
  /** What one successful call of a tool saves a person, in minutes, as its owner states. */
  readonly minutesSaved?: number;
};

/** Degradation. The last two are for tools that only read: of others, nobody knows whether the call was made. */
export type OnFailure =
  /** `advice`: what the operator tells whoever reads the failure. */
  | { readonly kind: 'error'; readonly advice?: string }
  | { readonly kind: 'cached'; readonly maxAgeMs: number }
  /** The tool of the same name there. */
  | { readonly kind: 'server'; readonly server: ServerId };

/** Default for what the operator said nothing about: it may write, and it is recorded before it is sent. */
export const UNKNOWN_TRAITS: Traits = {
  readOnly: false,
  risk: 'medium',
  idempotent: false,
  tags: [],
  classification: 'internal',
  scopes: [],
};

/**
 * Who shares one upstream session or process: everyone of a tenant, the calls of one principal, those of one client session,
 * or nobody: a fresh one for each call.
 */
export type Sharing = 'shared' | 'principal' | 'session' | 'call';

/** No server's id: those have no `_`. Stands for the gateway itself where an operation is about no server of its own. */
export const GATEWAY_ID = '_gateway';

export type Server = {
  readonly id: ServerId;
  /** Changes when the server's configuration changes; part of pool keys and continuations. */
  readonly version: string;
  readonly owner?: string;
  readonly title?: string;
  /** The operator's word for where it stands: `production`. */
  readonly environment?: string;
  /** Of everything on it that the operator says nothing more exact about. Default: internal. */
  readonly classification?: Classification;
  /** Of everything on it. */
  readonly tags?: readonly string[];
  readonly sharing: Sharing;
  /** OAuth scopes that a token must have to use anything of it. Absent when it demands none. */
  readonly scopes?: readonly string[];
};

/**
 * What the operator says about a server as a whole, and about everything on it where there is nothing more exact. Neither
 * read-only nor of low risk: methods of any kind reach a server.
 */
export function serverTraits({ classification, tags }: Server): Traits {
  return {
    ...UNKNOWN_TRAITS,
    ...(classification === undefined ? {} : { classification }),
    ...(tags === undefined ? {} : { tags }),
  };
}

type EntryBase = {
  readonly server: Server;
  /** The upstream's own name, or its URI or URI template. With `server.id`, the address `server/name`. */
  readonly name: string;
  /** The name on the aggregate endpoint. For resources and templates, the URI itself. */
  readonly aggregateName: string;
  /** The upstream's definition, parsed and frozen, and its original text. */
  readonly definition: JsonObject;
  readonly text: string;
  /** SHA-256 over the server's canonical definition (RFC 8785), hex. */
  readonly hash: string;
  readonly traits: Traits;
};

/** Arguments that the operator fixed: set on every call, and no part of what clients see. */
export type Pins = {
  readonly arguments: JsonObject;
  /** `inputSchema` without them; it stands in `definition` and `text`, too. */
  readonly shownSchema: JsonObject;
};

export type ToolEntry = EntryBase & {
  readonly kind: 'tool';
  /** The server's own, which holds for the whole call: with pins, clients are shown another. */
  readonly inputSchema: JsonObject;
  readonly pins?: Pins;
  /** What the operator declared arguments to be. */
  readonly declared?: readonly DeclaredArgument[];
};
export type PromptEntry = EntryBase & { readonly kind: 'prompt' };
/** `listed: false` is a URI that no list names: it still needs a permit, and the server may know it. */
export type ResourceEntry = EntryBase & { readonly kind: 'resource'; readonly listed: boolean };
export type TemplateEntry = EntryBase & { readonly kind: 'template' };
/** The server itself: what discovery, lists, pings and unknown methods are about. */
export type ServerEntry = EntryBase & { readonly kind: 'server' };

export type Entry = ToolEntry | PromptEntry | ResourceEntry | TemplateEntry | ServerEntry;

export type EntryKind = Entry['kind'];

export type Target = { readonly endpoint: Endpoint; readonly entries: readonly [Entry, ...Entry[]] };
