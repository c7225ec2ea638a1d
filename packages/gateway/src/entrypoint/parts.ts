/** What the door's rooms share. Built once by `createEntrypoint`. */

import type { ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';

import type { Consents } from '../credential/consents.ts';
import type { NoteEvent } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import type { Pipeline } from '../pipeline/pipeline.ts';
import type { Sealer } from '../seal/sealer.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { CallExchange } from './call-exchange.ts';
import type { FollowedSessions } from './followed-sessions.ts';
import type { ForwardPasses } from './forward-pass.ts';
import type { OtherReplicas } from './forwarding.ts';
import type { OpenQuestions } from './open-questions.ts';
import type { LegacySessions } from './legacy-sessions.ts';
import type { EntrypointLimits } from './limits.ts';
import type { Browser } from './pages/browser.ts';
import type { QuestionIds } from './question-ids.ts';
import type { ConnectCookies } from './pages/connect-cookie.ts';
import type { ConnectLinks } from './pages/connect-links.ts';
import type { ResourceMetadata } from './resource-metadata.ts';
import type { RunningCalls } from './running-calls.ts';
import type { SessionListenings } from './session-listenings.ts';
import type { SessionIds } from './session-ids.ts';
import type { SseConversations } from './sse/sse-conversation.ts';
import type { StreamLogs } from './stream-logs.ts';
import type { StreamSlots } from './stream-slots.ts';

export type EntrypointParts = {
  readonly pipeline: Pipeline;
  readonly sealer: Sealer;
  readonly sessionIds: SessionIds;
  readonly sessions: LegacySessions;
  readonly dropParkedCall: (id: string) => void;
  readonly limits: EntrypointLimits;
  readonly metadata: ResourceMetadata;
  readonly browser: Browser;
  /** Undefined: no server asks people for their consent. */
  readonly consents?: Consents | undefined;
  readonly connectLinks: Pick<ConnectLinks, 'open' | 'use'>;
  readonly connectCookies: ConnectCookies;
  /** Where authorization servers can fetch it; undefined where they cannot. */
  readonly clientDocument?: JsonObject | undefined;
  /** Scheme, host and port, no trailing slash. */
  readonly publicUrl: string;
  readonly logger: Logger;
  readonly instruments: Instruments;
  /** For the record: refusals that the pipeline never sees. */
  readonly note: NoteEvent;
  readonly followedSessions: FollowedSessions;
  readonly now: () => number;
  readonly clockMs: () => number;
  readonly newId: () => string;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** What a state is bound to beside the request's method and name. */
  readonly digestArguments: (args: JsonObject) => string;
  readonly isDraining: () => boolean;
  readonly streamSlots: StreamSlots;
  /** Undefined where HTTP+SSE is switched off. */
  readonly sseConversations: SseConversations | undefined;
  /** What legacy clients may come back to. */
  readonly streamLogs: StreamLogs;
  /** What runs, so that it can be cancelled when the time to drain is over. Bounded by `maxConcurrent` and `maxBatch`. */
  readonly openCalls: Set<CallExchange>;
  /** Those of legacy clients, which cancel by name. */
  readonly runningCalls: RunningCalls;
  /** Ends each open GET stream. Bounded by `maxStreams`. */
  readonly openStreams: Set<() => void>;
  /** Of legacy clients. Bounded by `maxOpenQuestions`. */
  readonly openQuestions: OpenQuestions;
  readonly questionIds: QuestionIds;
  readonly otherReplicas: OtherReplicas;
  readonly forwardPasses: ForwardPasses;
  /** Requests that were passed on and are not answered yet. */
  readonly forwards: { count: number };
  /** Who is told of changes, of legacy sessions. */
  readonly sessionListenings: SessionListenings;
  /** The latest response of each connection. */
  readonly answering: WeakMap<Duplex, ServerResponse>;
};
