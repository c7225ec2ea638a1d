/** `DELETE /api/v1/credentials`: whose and for what stands in the query, and what became of each is the answer. */

import type { RevokedGrant } from '../../credential/revoke-grants.ts';
import { failure } from '../../model/failure.ts';
import type { PresentedCredentials } from '../../model/request.ts';
import { refuse, type OwnArrival } from '../arrival.ts';
import { answerFailure } from './answer-failure.ts';
import { respondJson } from './respond.ts';
import { runAct } from './run-act.ts';

const NAMES = ['user', 'server', 'all'] as const;
const MAX_VALUE_CHARS = 1_000;
const WHOSE = 'Name user, server or both; or write all=true and nothing else.';

export async function receiveRevocation(arrival: OwnArrival, presented: PresentedCredentials): Promise<void> {
  const query = new URL(arrival.request.url ?? '/', 'http://gateway').searchParams;
  const problem = problemOf(query);
  if (problem !== undefined) return refuse(arrival, failure('invalid-params', { message: problem }));
  const [user, server] = [query.get('user'), query.get('server')];
  const act = {
    name: 'revokeCredentials',
    ...(user === null ? {} : { user }),
    ...(server === null ? {} : { server }),
  } as const;
  const { outcome, administered } = await runAct(arrival, act, presented);
  if (administered?.kind === 'revoked') return respondJson(arrival, { revoked: administered.revoked.map(row) });
  return answerFailure(arrival, outcome.kind === 'failed' ? outcome.failure : failure('internal'));
}

/** A word that is misspelt, or said twice, must not widen it. */
function problemOf(query: URLSearchParams): string | undefined {
  const names = [...query.keys()];
  const unknown = names.find((name) => !NAMES.some((known) => known === name));
  if (unknown !== undefined) return `There is no "${unknown.slice(0, 50)}" here; known are ${NAMES.join(', ')}.`;
  if (new Set(names).size !== names.length) return 'A name is there twice.';
  if ([...query.values()].some((value) => value === '' || value.length > MAX_VALUE_CHARS)) {
    return 'A value is empty or too long.';
  }
  const all = query.get('all');
  if (all === null) return names.length === 0 ? WHOSE : undefined;
  return all === 'true' && names.length === 1 ? undefined : WHOSE;
}

const row = ({ key, issuer, atIssuer }: RevokedGrant): object => ({ ...key, issuer, atIssuer });
