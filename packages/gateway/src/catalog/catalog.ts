/** The port of `catalog`: what can be called. A snapshot is replaced, never changed. */

import type { FailureCode } from '../model/failure.ts';
import type { Operation } from '../model/operation.ts';
import type { ListKind } from '../model/operation.ts';
import type { Discovery, Freshness } from '../model/outcome.ts';
import type { Era } from '../model/revision.ts';
import type { Endpoint, Entry, Server, ServerEntry, ServerId, Target, ToolEntry } from '../model/target.ts';

/** Something the operator should mend: a bad entry disables only itself and shows here. */
export type Problem = {
  readonly server?: ServerId;
  readonly code: 'server-disabled' | 'listing-failed' | 'name-collision' | 'definition-refused';
  readonly message: string;
};

/** Why a tool is kept from everyone: it is hidden, or not read-only below a ceiling of its server or of `/mcp`. */
export type Withholding = 'hidden' | 'server-read-only' | 'aggregate-read-only';

export type Withheld = { readonly tool: ToolEntry; readonly why: Withholding };

export type ServerStatus = {
  readonly server: Server;
  readonly state: 'starting' | 'healthy' | 'unhealthy' | 'disabled';
  readonly sinceMs: number;
  readonly era?: Era;
  /** Why it is not healthy. */
  readonly reason?: string;
  /** The failure's code, where it was one of ours. */
  readonly code?: FailureCode;
  readonly counts: Readonly<Record<ListKind, number>>;
};

export interface Catalog {
  /** Changes with every swap whose content differs; cursors carry it. */
  readonly version: string;
  readonly servers: readonly ServerStatus[];
  readonly problems: readonly Problem[];
  /** For the operator's eyes: nobody can find or list these. */
  readonly withheld: readonly Withheld[];
  /** The server behind an endpoint, or undefined for the aggregate and for unknown ids. */
  server(id: ServerId): ServerEntry | undefined;
  /**
   * What the operation is about: for `call-tool`, `get-prompt`, `read-resource` and `complete-argument` the entry of that
   * name, for a task the tool that it came out of, for everything else the server entry behind the endpoint; on the aggregate that is an entry for the gateway itself
   * (`GATEWAY_ID`), and undefined for unknown methods. Always one entry. Undefined when nothing has that name.
   */
  find(endpoint: Endpoint, operation: Operation): Target | undefined;
  /** All entries of a kind behind an endpoint, in a stable order. */
  list(endpoint: Endpoint, kind: ListKind): readonly Entry[];
  freshness(endpoint: Endpoint, kind: ListKind): Freshness;
  discovery(endpoint: Endpoint): Discovery;
}
