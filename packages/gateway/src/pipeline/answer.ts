/**
 * What the gateway answers by itself, from the catalog and without an upstream: discovery, lists, pings, and the
 * legacy session's own life. Everything else needs a permit.
 */

import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { failure } from '../model/failure.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Trail } from '../model/trail.ts';
import { listVisible } from './only-visible.ts';

const DONE: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };

/** No server behind the endpoint logs, and the client was told so. */
const NO_LOGGING: Outcome = { kind: 'failed', failure: failure('method-not-found') };

type AnswerParts = { readonly catalog: Catalog; readonly authorizer: Authorizer; readonly pageSize: number };

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
    case 'ping':
    case 'listen':
    case 'notify':
    case 'end-session':
      return DONE;
    case 'set-log-level':
      return parts.catalog.discovery(request.endpoint).capabilities['logging'] === undefined ? NO_LOGGING : DONE;
    default:
      return undefined;
  }
}
