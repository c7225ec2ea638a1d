/**
 * The ids of questions to legacy clients. Nobody can guess one, and it says which replica waits for the answer: that comes as
 * a POST of its own, wherever the balancer sends it, perhaps after the gateway was started anew.
 */

import type { ReplicaId } from '../model/outcome.ts';
import type { Sealer } from '../seal/sealer.ts';

export type Question = {
  readonly owner: ReplicaId;
  /** Of the session that was asked. */
  readonly session: string;
};

export type QuestionIds = {
  readonly self: ReplicaId;
  /** @param forMs How long its answer is waited for. */
  issue(session: string, forMs: number): string;
  /** Undefined for what is no id of ours, and for one whose time is long over. */
  open(id: string | number): Question | undefined;
};

export type QuestionIdOptions = {
  readonly sealer: Sealer;
  readonly replica: ReplicaId;
};

/** An answer that comes late is known for what it is, and its client is told so. */
const KNOWN_AFTERWARDS_MS = 60 * 60_000;

export const createQuestionIds = ({ sealer, replica }: QuestionIdOptions): QuestionIds => ({
  self: replica,
  issue: (session, forMs) => sealer.seal('request-id', { o: replica, s: session }, forMs + KNOWN_AFTERWARDS_MS),
  open(id) {
    const opened = typeof id === 'string' ? sealer.open('request-id', id) : undefined;
    if (opened?.ok !== true) return undefined;
    const { o: owner, s: session } = opened.value;
    return typeof owner === 'string' && typeof session === 'string' ? { owner, session } : undefined;
  },
});
