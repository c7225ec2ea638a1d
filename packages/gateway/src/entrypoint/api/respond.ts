/** Writes the answers of our own API and pages: small, whole, kept by no cache. */

import type { Failure } from '../../model/failure.ts';
import type { Arrival } from '../arrival.ts';
import { lingeringEnd } from '../request-body.ts';
import { PROBLEM_TYPE, problemOf, retryAfter, statusOf } from './problem.ts';

export type OwnAnswer = {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
  /** The rest of the request's body was not read: the connection cannot be used again. */
  readonly unread?: boolean;
};

/** What somebody may do is nobody else's to read from a cache, nor to be taken for another kind of document. */
const GUARDED = ['Cache-Control', 'no-store', 'X-Content-Type-Options', 'nosniff'];

export function respondOwn({ request, response, parts, cors, route }: Arrival, answer: OwnAnswer): void {
  if (response.destroyed || response.headersSent) return;
  const closes = answer.unread === true || parts.isDraining();
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status, [
    'Content-Type',
    answer.type,
    'Content-Length',
    String(body.length),
    ...GUARDED,
    // Pages are read by people; no other origin has a use for them.
    ...(route?.kind === 'page' ? [] : cors),
    ...(answer.headers ?? []),
    ...(closes ? ['Connection', 'close'] : []),
  ]);
  if (answer.unread === true) {
    response.write(body);
    lingeringEnd(request, response);
  } else response.end(request.method === 'HEAD' ? undefined : body);
}

export const respondJson = (arrival: Arrival, value: unknown, status = 200): void =>
  respondOwn(arrival, { status, type: 'application/json', body: JSON.stringify(value) });

type ProblemOptions = { readonly headers?: readonly string[]; readonly unread?: boolean };

export function respondProblem(arrival: Arrival, failure: Failure, options: ProblemOptions = {}): void {
  respondOwn(arrival, {
    status: statusOf(failure.code),
    type: PROBLEM_TYPE,
    body: JSON.stringify(problemOf(failure, arrival.id)),
    headers: [...retryAfter(failure), ...(options.headers ?? [])],
    unread: options.unread ?? false,
  });
}
