/** Ended legacy sessions where every replica can learn of them, and a gateway that was started anew as well: the port. */

export type EndedSession = {
  readonly nonce: string;
  /** When its id expires anyway, and this can be forgotten. */
  readonly untilMs: number;
  /** When it was ended, by the clock of the replica where it was. */
  readonly atMs: number;
};

/** A place in the order in which sessions were ended. */
export type EndedMark = Pick<EndedSession, 'atMs' | 'nonce'>;

export interface EndedSessions {
  /** Durable when it resolves. Ending one twice is ending it once. @throws when it cannot be kept */
  add(ended: EndedSession): Promise<void>;
  /** Those after `mark` whose ids are good beyond `nowMs`, in order. @throws when they cannot be read */
  after(mark: EndedMark, nowMs: number, limit: number): Promise<readonly EndedSession[]>;
}
