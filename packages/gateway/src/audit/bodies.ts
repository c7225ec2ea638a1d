/** The port of what keeps bodies of calls: the pipeline hands over what it has, and learns nothing of what becomes of it. */

import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import type { RawBody, WithheldReason } from '../model/redaction.ts';
import type { Endpoint, ToolEntry } from '../model/target.ts';

export type TakenBodies = {
  readonly requestId: string;
  readonly endpoint: Endpoint;
  readonly tool: ToolEntry;
  readonly principal: Principal;
  readonly arguments?: JsonObject;
  /** As much of it as was asked for. */
  readonly result?: RawBody;
};

export interface Bodies {
  /** Undefined: nothing of this tool's calls is kept. Else how many bytes of a result are wanted at most. */
  wants(tool: ToolEntry): { readonly resultBytes: number } | undefined;
  /** Never throws, and never waits. What it was handed may change afterwards. */
  keep(taken: TakenBodies): void;
}

/** What is said of one part: how large it is now, or why there is nothing of it. */
export type PartWord =
  | { readonly bytes: number; readonly cut: boolean; readonly rules: readonly string[] }
  | { readonly withheld: WithheldReason };

/** What became of a call's bodies: follows the record of the call. */
export type BodiesWord = {
  readonly timeMs: number;
  readonly requestId: string;
  readonly endpoint: Endpoint;
  readonly tool: ToolEntry;
  readonly principal: Principal;
  /** `withheld`: not kept on purpose. `lost`: they should have been. */
  readonly state: 'stored' | 'withheld' | 'lost';
  readonly because?: string;
  /** Of what is stored; of what was lost, too: it may have been stored after all. */
  readonly commitment?: string;
  readonly arguments?: PartWord;
  readonly result?: PartWord;
};

export interface BodiesLog {
  /** Queues the record. */
  kept(word: BodiesWord): void;
}
