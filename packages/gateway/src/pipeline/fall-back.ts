/**
 * When the server of a read-only tool does not answer, the tool of the same name on the server that its operator named. It is
 * another call: to another target, under its own policy, with its own pins and its own schema. Whoever may not make it, or
 * would have to ask somebody first, gets the failure of the first one.
 */

import type { AuditLog } from '../audit/audit-log.ts';
import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ArgumentValidator } from '../guard/argument-validator.ts';
import { annotated, resultText } from '../model/annotated.ts';
import type { Send } from '../model/call.ts';
import { isOutage, Refusal } from '../model/failure.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ResolvedRequest } from '../model/request.ts';
import type { Target } from '../model/target.ts';
import type { Trail } from '../model/trail.ts';
import { admit } from './admit.ts';
import { authorize } from './authorize.ts';
import { call } from './call.ts';
import type { ScopeCheck } from './check-scopes.ts';
import { pin } from './pin.ts';
import type { Exchange } from './pipeline.ts';
import { recordIntent } from './record-intent.ts';
import type { RequestTrail } from './request-trail.ts';

export type FallBackParts = {
  readonly catalog: Catalog;
  readonly authorizer: Authorizer;
  readonly checkScopes: ScopeCheck;
  readonly validator: ArgumentValidator;
  readonly audit: AuditLog;
  readonly send: Send;
  readonly exchange: Exchange;
  readonly trail: RequestTrail;
};

export const FALLBACK_KEY = 'io.sallyport/fallback';

/** The decision on the first call stands in the record; this one's server stands beside it. */
const ASIDE: Trail = { note: () => undefined };

export async function fallBack(admitted: ResolvedRequest, failed: Outcome, parts: FallBackParts): Promise<Outcome> {
  const target = fallbackOf(admitted, failed, parts.catalog);
  if (target === undefined || parts.exchange.signal.aborted) return failed;
  const [tool] = target.entries;
  try {
    const other = await admit({ ...admitted, target }, parts.catalog, parts.authorizer, ASIDE);
    parts.checkScopes(other);
    const pinned = pin(other, ASIDE);
    if (pinned.operation.kind === 'call-tool' && tool.kind === 'tool') {
      await parts.validator.validate(tool, pinned.operation.arguments);
    }
    const authorized = authorize(pinned, parts.authorizer, ASIDE);
    if (authorized.permit.obligations.length > 0) return failed;
    const ready = await recordIntent({ ...authorized, approval: undefined }, parts.audit, ASIDE);
    const outcome = await call(ready, parts);
    if (outcome.kind !== 'complete') return failed;
    parts.trail.note({ kind: 'fell-back', server: tool.server.id });
    return marked(outcome, admitted.target, tool.server.id);
  } catch (error) {
    if (error instanceof Refusal) return failed;
    throw error;
  }
}

/** Nothing was answered, nothing was asked, nothing can have been changed. */
function fallbackOf(request: ResolvedRequest, outcome: Outcome, catalog: Catalog): Target | undefined {
  const { operation, answers } = request;
  const [entry] = request.target.entries;
  if (outcome.kind !== 'failed' || !isOutage(outcome.failure.code) || answers !== undefined) return undefined;
  if (entry.kind !== 'tool' || operation.kind !== 'call-tool') return undefined;
  const { onFailure, readOnly } = entry.traits;
  if (onFailure?.kind !== 'server' || !readOnly || onFailure.server === entry.server.id) return undefined;
  const endpoint = { kind: 'server', server: onFailure.server } as const;
  const found = catalog.find(endpoint, { kind: 'call-tool', name: entry.name, arguments: operation.arguments });
  const [other] = found?.entries ?? [];
  return other?.kind === 'tool' && other.traits.readOnly ? found : undefined;
}

function marked(outcome: Extract<Outcome, { kind: 'complete' }>, first: Target, server: string): Outcome {
  const text = resultText(outcome.result);
  const [{ server: asked }] = first.entries;
  const note = `Note: ${asked.id} does not answer, so ${server} was asked instead.`;
  const annotation = { key: FALLBACK_KEY, value: { server, insteadOf: asked.id }, text: note };
  const result = text === undefined ? undefined : annotated(text, annotation);
  // One that is still arriving passes on as it is; the record says where it came from.
  return result === undefined ? outcome : { ...outcome, result };
}
