/** A server behind the gateway as the program sees it: how it is reached, how patient we are, what its operator says of it. */

import type { DeclaredArgument } from '../model/argument-kind.ts';
import type { JsonObject } from '../model/json.ts';
import type { Classification, Sharing, Traits } from '../model/target.ts';
import type { AuthConfig } from './auth-config.ts';
import type { ValueConfig } from './secrets-config.ts';

export type ServerConfig = {
  readonly id: string;
  readonly transport: HttpTransport | StdioTransport;
  /** Undefined: with what stands in `transport` alone. */
  readonly auth?: AuthConfig<ValueConfig>;
  readonly owner?: string;
  readonly title?: string;
  readonly environment?: string;
  readonly classification?: Classification;
  readonly tags: readonly string[];
  readonly sharing: Sharing;
  /** OAuth scopes that a token needs to use anything of it. */
  readonly scopes: readonly string[];
  readonly pool: PoolConfig;
  readonly connectTimeoutMs: number;
  /** For one call, from the moment it leaves until its result is complete; progress starts `totalMs` anew, up to `maxMs`. */
  readonly timeouts: { readonly totalMs: number; readonly maxMs: number; readonly firstByteMs?: number };
  /** Of calls that are safe to make again, after the first attempt. */
  readonly retries: number;
  readonly breaker: BreakerConfig | undefined;
  /** Calls of everyone together that it may have at a time. */
  readonly maxInFlight: number;
  /** What it needs to be of use. */
  readonly dependsOn: readonly DependencyProbe[];
  /** In the order of the file; of several patterns that match a name, each sets what it names and the last one wins. */
  readonly traits: readonly TraitRule[];
  readonly allow: readonly AllowRule[];
  /** A ceiling: only tools marked read-only are there. */
  readonly readOnly: boolean;
};

/** What a process that the gateway starts may do. Paths are absolute. */
export type ProcessConfig = {
  readonly group: { readonly memoryBytes?: number; readonly processes?: number };
  readonly limits: { readonly openFiles?: number; readonly fileBytes?: number; readonly cpuSeconds?: number };
  readonly sandbox:
    | {
        readonly network: boolean;
        readonly write: readonly string[];
        readonly read: readonly string[];
        readonly hide: readonly string[];
      }
    | undefined;
};

/** How to see whether something that a server depends on is there. */
export type DependencyProbe = {
  readonly name: string;
  readonly way:
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
    | { readonly kind: 'tool'; readonly tool: string; readonly arguments: JsonObject };
  readonly everyMs: number;
  readonly timeoutMs: number;
};

/** How many upstream sessions or processes of one server there may be. */
export type PoolConfig = {
  readonly max: number;
  readonly idleMs: number;
  readonly waitMs: number;
  readonly spares: { readonly min: number; readonly max: number };
};

/** The server is not asked for a while when `failures` of the latest `window` calls could not be served. */
export type BreakerConfig = {
  readonly window: number;
  readonly failures: number;
  readonly openMs: number;
  readonly maxOpenMs: number;
};

export type HttpTransport = {
  readonly kind: 'http';
  readonly url: string;
  /** Undefined: found out. */
  readonly only?: 'streamable-http' | 'sse';
  readonly headers: Readonly<Record<string, ValueConfig>>;
};

export type StdioTransport = {
  readonly kind: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly process: ProcessConfig;
  readonly env: Readonly<Record<string, ValueConfig>>;
};

export type TraitRule = {
  readonly of: 'tools' | 'prompts' | 'resources';
  readonly pattern: string;
  readonly traits: Partial<Traits>;
  readonly hidden?: boolean;
  readonly pins?: JsonObject;
  readonly declared?: readonly DeclaredArgument[];
};

/** The shorthand that becomes the Cedar policy `<server>.allow[<index>]`. Patterns are globs: `*` stands for any text. */
export type AllowRule = {
  readonly who:
    | { readonly kind: 'group'; readonly name: string }
    | { readonly kind: 'user'; readonly name: string }
    | { readonly kind: 'anyone' };
  readonly tools: readonly string[];
  readonly prompts: readonly string[];
  readonly resources: readonly string[];
  /** What clients call themselves. Empty: any. */
  readonly surfaces: readonly string[];
};

export type DisabledServer = { readonly id: string; readonly reason: string };
