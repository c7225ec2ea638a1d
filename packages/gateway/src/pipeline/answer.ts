/**
 * What the gateway answers by itself, from the catalog and without an upstream: discovery, lists, pings, and the
 * legacy session's own life. Everything else needs a permit.
 */

import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { failure, refuse } from '../model/failure.ts';
import type { SubscriptionFilter } from '../model/operation.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';
import type { Listeners } from './listeners.ts';
import { tellsOfResources, type Listening, type Verify } from './listening.ts';
import { listVisible } from './only-visible.ts';

const DONE: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };

/** No server behind the endpoint logs, and the client was told so. */
const NO_LOGGING: Outcome = { kind: 'failed', failure: failure('method-not-found') };

type AnswerParts = {
  readonly catalog: Catalog;
  readonly authorizer: Authorizer;
  readonly pageSize: number;
  readonly listeners: Pick<Listeners, 'open'>;
  /** What was opened, for whoever answers the client. */
  readonly opened: { listening?: Listening };
  readonly verify: Verify;
};

/** Undefined when the operation is an upstream's to answer. */
export function answer(
  request: ResolvedRequest,
  parts: AnswerParts,
  trail: Trail,
): Outcome | Promise<Outcome> | undefined {
  const { operation } = request;
  switch (operation.kind) {
    case 'discover':
      return { kind: 'discovered', discovery: parts.catalog.discovery(request.endpoint) };
    case 'list':
      return listVisible(request, operation, parts, trail);
    case 'listen':
      return listen(request, operation.filter, parts);
    case 'subscribe':
      return subscribable(request, parts.catalog);
    case 'ping':
    case 'unsubscribe':
    case 'notify':
    case 'end-session':
      return DONE;
    case 'set-log-level':
      return parts.catalog.discovery(request.endpoint).capabilities['logging'] === undefined ? NO_LOGGING : DONE;
    default:
      return undefined;
  }
}

async function listen(request: ResolvedRequest, filter: SubscriptionFilter, parts: AnswerParts): Promise<Outcome> {
  parts.opened.listening = await parts.listeners.open(request, filter, parts.verify);
  return DONE;
}

/** The subscription is the session's to keep; here it is only told whether there can be one. */
function subscribable({ target: { entries } }: ResolvedRequest, catalog: Catalog): Outcome {
  const { server } = entries[0];
  if (tellsOfResources(server.id, catalog)) return DONE;
  const message = `The server ${server.id} does not tell of changes of its resources. Read them again from time to time.`;
  throw refuse('method-not-found', { message });
}
