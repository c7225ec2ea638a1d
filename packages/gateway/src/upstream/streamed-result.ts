/** A result that is still arriving when `Send` has returned: what must be held until its end, and let go then. */

import type { Outcome, UpstreamMessage } from '../model/outcome.ts';

/** The message of a result whose end has not arrived, or undefined. */
export function unfinishedMessage(outcome: Outcome): UpstreamMessage | undefined {
  if (outcome.kind !== 'complete' || outcome.result.kind !== 'message') return undefined;
  return outcome.result.message.rest === undefined ? undefined : outcome.result.message;
}

/**
 * The same outcome; `done` is called once: when the last byte was read, when the result broke off, when the reader left,
 * or when `signal` was aborted, should nobody ever read. For a result that is whole it is called at once.
 */
export function untilRead(outcome: Outcome, signal: AbortSignal, done: () => void): Outcome {
  const message = unfinishedMessage(outcome);
  if (message?.rest === undefined) {
    done();
    return outcome;
  }
  let isDone = false;
  const finish = (): void => {
    if (isDone) return;
    isDone = true;
    signal.removeEventListener('abort', finish);
    done();
  };
  signal.addEventListener('abort', finish, { once: true });
  if (signal.aborted) finish();
  const rest = passing(message.rest, finish);
  return { kind: 'complete', result: { kind: 'message', message: { ...message, rest } } };
}

async function* passing(rest: AsyncIterable<Uint8Array>, finish: () => void): AsyncGenerator<Uint8Array> {
  try {
    yield* rest;
  } finally {
    finish();
  }
}
