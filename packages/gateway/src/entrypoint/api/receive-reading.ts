/** What auditors and operators read over the API: the record, what was used, what is going on. */

import type { AdministrativeAct, AuditAsked, ReadingAct } from '../../model/administration.ts';
import { failure, type Failure } from '../../model/failure.ts';
import type { PresentedCredentials } from '../../model/request.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { Administered } from '../../pipeline/administer.ts';
import type { Handled } from '../../pipeline/pipeline.ts';
import { refuse, type OwnArrival } from '../arrival.ts';
import type { ReadingPlace } from '../route.ts';
import { answerFailure } from './answer-failure.ts';
import { followRecord } from './follow-record.ts';
import { FILTERS, parseFilters, parseLimit, parseQuery, parseUsage } from './reading-query.ts';
import { openCursor, sealCursor } from './record-pages.ts';
import { respondJson, respondOwn } from './respond.ts';
import { runAct } from './run-act.ts';

export async function receiveReading(
  arrival: OwnArrival,
  place: ReadingPlace,
  presented: PresentedCredentials,
): Promise<void> {
  if (place.name === 'records' || place.name === 'request') return readRecords(arrival, place, presented);
  const asked = actAt(place, arrival.request.url ?? '');
  if (!asked.ok) return refuse(arrival, failure('invalid-params', { message: asked.error }));
  const handled = await runAct(arrival, asked.value, presented);
  const { administered } = handled;
  switch (administered?.kind) {
    case 'bodies':
      return respondJson(arrival, administered.bodies);
    case 'usage':
      return respondJson(arrival, administered.report);
    case 'live':
      return respondJson(arrival, administered.live);
    case 'credentials':
      return respondJson(arrival, administered.credentials);
    case 'feed':
      return followRecord(arrival, administered.follow, handled.principal);
    default:
      return failed(arrival, handled);
  }
}

function actAt(
  place: Exclude<ReadingPlace, { name: 'records' | 'request' }>,
  target: string,
): Result<AdministrativeAct, string> {
  switch (place.name) {
    case 'bodies': {
      const query = parseQuery(target, []);
      return query.ok ? ok(scoped({ name: 'readAuditBodies', request: place.id }, query.value.allTenants)) : query;
    }
    case 'tail': {
      const query = parseQuery(target, FILTERS);
      const asked = query.ok ? parseFilters(query.value.values) : query;
      if (!query.ok || !asked.ok) return asked.ok ? err('') : asked;
      return ok(scoped({ name: 'readAudit', asked: asked.value, follow: true }, query.value.allTenants));
    }
    case 'usage': {
      const query = parseQuery(target, ['month', 'by'] as const);
      const asked = query.ok ? parseUsage(query.value.values) : query;
      if (!query.ok || !asked.ok) return asked.ok ? err('') : asked;
      return ok(scoped({ name: 'readUsage', ...asked.value }, query.value.allTenants));
    }
    case 'live':
    case 'credentials': {
      const query = parseQuery(target, []);
      const name = place.name === 'live' ? 'readLive' : 'readCredentials';
      return query.ok ? ok(scoped({ name }, query.value.allTenants)) : query;
    }
  }
}

const scoped = (act: ReadingAct, allTenants: boolean): AdministrativeAct =>
  allTenants ? { name: 'readAllTenants', of: act } : act;

type Page = {
  readonly asked: AuditAsked;
  readonly intents: boolean;
  readonly limit: number;
  readonly allTenants: boolean;
  readonly after: string | undefined;
};

async function readRecords(
  arrival: OwnArrival,
  place: Extract<ReadingPlace, { name: 'records' | 'request' }>,
  presented: PresentedCredentials,
): Promise<void> {
  const page = parsePage(arrival.request.url ?? '', 'id' in place ? place.id : undefined);
  if (!page.ok) return refuse(arrival, failure('invalid-params', { message: page.error }));
  const { asked, intents, limit, allTenants, after } = page.value;
  const question = { ...asked, intents, allTenants };
  const cursor = after === undefined ? undefined : openCursor(arrival, after, question);
  if (cursor?.ok === false) return refuse(arrival, cursor.error);
  const act = { name: 'readAudit', asked, intents, limit } as const;
  const from = cursor === undefined ? act : { ...act, after: cursor.value.after };
  const handled = await runAct(
    arrival,
    scoped(from, allTenants),
    presented,
    cursor === undefined ? [] : [cursor.value.sealedFor],
  );
  const { administered, principal } = handled;
  if (administered?.kind !== 'records' || principal === undefined) return failed(arrival, handled);
  const { found, next } = administered.page;
  const more = next === undefined ? {} : { next: sealCursor(arrival, next, { question, owner: principal.key }) };
  respondRecords(arrival, found, more);
}

function parsePage(target: string, request: string | undefined): Result<Page, string> {
  const filters = request === undefined ? FILTERS : (['since', 'until'] as const);
  const query = parseQuery(target, [...filters, 'limit', 'after'] as const);
  if (!query.ok) return query;
  const { limit: limitText, after, ...values } = query.value.values;
  const limit = parseLimit(limitText);
  if (!limit.ok) return limit;
  const asked = parseFilters(values);
  if (!asked.ok) return asked;
  return ok({
    asked: request === undefined ? asked.value : { ...asked.value, request },
    intents: request !== undefined,
    limit: limit.value,
    allTenants: query.value.allTenants,
    after,
  });
}

type Found = Extract<Administered, { kind: 'records' }>['page']['found'];

/** Each record as it was written, and beside it what it says. A line is JSON already: it is not parsed to be written again. */
function respondRecords(arrival: OwnArrival, found: Found, more: { readonly next?: string }): void {
  const records = found.map(({ record, line }) => `{"told":${JSON.stringify(record)},"record":${line}}`);
  const next = more.next === undefined ? '' : `,"next":${JSON.stringify(more.next)}`;
  respondOwn(arrival, { status: 200, type: 'application/json', body: `{"records":[${records.join(',')}]${next}}` });
}

function failed(arrival: OwnArrival, { outcome }: Handled): void {
  const of: Failure = outcome.kind === 'failed' ? outcome.failure : failure('internal');
  answerFailure(arrival, of);
}
