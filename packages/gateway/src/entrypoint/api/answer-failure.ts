/** How an administrative act that failed is answered over the API. */

import { bearerChallenge, bearerError } from '../../authn/challenge.ts';
import { FAILURES, type Failure } from '../../model/failure.ts';
import type { OwnArrival } from '../arrival.ts';
import { respondProblem } from './respond.ts';

/** Recorded and counted already: the pipeline has seen it. */
export function answerFailure(arrival: OwnArrival, of: Failure): void {
  respondProblem(arrival, explained(arrival, of), { headers: challengeFor(arrival, of) });
}

/** MCP's words for a refusal speak of a call. */
function explained({ parts, route }: OwnArrival, of: Failure): Failure {
  const { fault } = of.data ?? {};
  if (fault === 'needs-browser' && route.kind === 'api' && route.place.name === 'decision') {
    return { ...of, data: { fault, approvalUrl: `${parts.publicUrl}/approvals/${route.place.id}` } };
  }
  return of.code === 'forbidden' && of.message === undefined ? { ...of, message: 'Policy does not allow this.' } : of;
}

function challengeFor({ parts }: OwnArrival, { code }: Failure): readonly string[] {
  if (FAILURES[code].status !== 401) return [];
  const error = bearerError(code);
  const resourceMetadataUrl = parts.metadata.urlOf('');
  return ['WWW-Authenticate', bearerChallenge({ resourceMetadataUrl, ...(error === undefined ? {} : { error }) })];
}
