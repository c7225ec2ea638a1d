/**
 * `resources/subscribe` and `resources/unsubscribe` of a legacy session, once the pipeline has let them: the session remembers
 * them, and its open stream, if there is one, is told of them from now on.
 */

import { failure, type Failure } from '../model/failure.ts';
import type { Operation } from '../model/operation.ts';
import type { Handled } from '../pipeline/pipeline.ts';
import type { EntrypointParts } from './parts.ts';
import type { Session } from './session-ids.ts';

type Subscribing = Extract<Operation, { kind: 'subscribe' | 'unsubscribe' }>;

export const isSubscribing = (operation: Operation): operation is Subscribing =>
  operation.kind === 'subscribe' || operation.kind === 'unsubscribe';

export async function keepSubscription(
  { sessions, sessionListenings, limits }: Pick<EntrypointParts, 'sessions' | 'sessionListenings' | 'limits'>,
  { nonce, expiresAtMs }: Session,
  operation: Subscribing,
  handled: Handled,
): Promise<Handled> {
  if (handled.outcome.kind === 'failed') return handled;
  const { uri } = operation;
  const listening = sessionListenings.of(nonce);
  if (operation.kind === 'unsubscribe') {
    listening?.unsubscribe(uri);
    await sessions.unsubscribe(nonce, uri);
    return handled;
  }
  const { maxSubscribedResources: max } = limits;
  if (!(await sessions.subscribe(nonce, uri, { max, untilMs: expiresAtMs }))) {
    return failed(handled, failure('overloaded', { message: full(max) }));
  }
  if (listening === undefined || (await listening.subscribe(uri))) return handled;
  await sessions.unsubscribe(nonce, uri);
  return failed(handled, failure('server-unavailable', { message: UNTOLD }));
}

const failed = (handled: Handled, of: Failure): Handled => ({
  ...handled,
  outcome: { kind: 'failed', failure: of },
});

const UNTOLD = 'The server does not tell of changes of this resource at the moment. Read it again from time to time.';

const full = (max: number): string =>
  `There are too many subscriptions: a session may have ${max}, and the gateway a number of them in all. Unsubscribe from one first.`;
