/** The gateway's own API in plain JSON, for programs: the pre-flight question, approvals, and what auditors read. */

import { failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { PresentedCredentials } from '../../model/request.ts';
import type { Handled } from '../../pipeline/pipeline.ts';
import { presentedBy, refuse, type OwnArrival } from '../arrival.ts';
import type { ApiPlace } from '../route.ts';
import { decisionOf, parseEvaluation, parseEvaluations, unreadable, type Decision } from './access-questions.ts';
import { answerFailure } from './answer-failure.ts';
import { approvalJson, parseVerdict } from './approval-json.ts';
import { readJsonObject } from './read-body.ts';
import { receiveReading } from './receive-reading.ts';
import { respondJson } from './respond.ts';
import { receiveRevocation } from './revocation.ts';
import { runAct } from './run-act.ts';

const METHODS: Readonly<Record<ApiPlace['name'], 'GET' | 'POST'>> = {
  evaluation: 'POST',
  evaluations: 'POST',
  'authzen-configuration': 'GET',
  approvals: 'GET',
  approval: 'GET',
  decision: 'POST',
  reading: 'GET',
};

/** What is held can be read, and people's log-ins among it be ended. */
const methodsOf = (place: ApiPlace): readonly string[] =>
  place.name === 'reading' && place.of.name === 'credentials' ? ['GET', 'DELETE'] : [METHODS[place.name]];

export async function receiveApi(arrival: OwnArrival): Promise<void> {
  const { route, request } = arrival;
  if (route.kind !== 'api') return;
  const { place } = route;
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const offered = methodsOf(place);
  if (method === undefined || !offered.includes(method)) {
    const message = `This HTTP method is not offered here. Use ${offered.join(' or ')}.`;
    return refuse(arrival, failure('method-not-allowed', { message }));
  }
  if (place.name === 'authzen-configuration')
    return respondJson(arrival, authzenConfiguration(arrival.parts.publicUrl));
  const presented = presentedToApi(arrival);
  if (presented === undefined) return refuse(arrival, failure('origin-refused', { message: ONLY_OUR_PAGES }));
  switch (place.name) {
    case 'approvals':
      return answer(arrival, await runAct(arrival, { name: 'readApprovals' }, presented));
    case 'approval':
      return answer(arrival, await runAct(arrival, { name: 'readApprovals', id: place.id }, presented));
    case 'evaluation':
    case 'evaluations':
    case 'decision': {
      const body = await readJsonObject(arrival);
      if (!body.ok) return body.error.failure && refuse(arrival, body.error.failure, { unread: body.error.unread });
      if (place.name === 'decision') return decide(arrival, place.id, body.value, presented);
      return evaluate(arrival, place.name, body.value, presented);
    }
    case 'reading':
      if (method === 'DELETE') return receiveRevocation(arrival, presented);
      return receiveReading(arrival, place.of, presented);
  }
}

/** AuthZEN section 9: where a client finds the endpoints. */
const authzenConfiguration = (publicUrl: string) => ({
  policy_decision_point: publicUrl,
  access_evaluation_endpoint: `${publicUrl}/access/v1/evaluation`,
  access_evaluations_endpoint: `${publicUrl}/access/v1/evaluations`,
});

const ONLY_OUR_PAGES =
  'With a browser session, requests that change something must come from a page of this gateway. Send a token instead.';

/**
 * A token or key; else the browser's session, which comes along with requests that other sites cause. Those name their
 * origin (WHATWG Fetch: always when the method is neither GET nor HEAD), so a change is taken from our own origin alone.
 */
function presentedToApi(arrival: OwnArrival): PresentedCredentials | undefined {
  const { headers, parts, request } = arrival;
  if (headers.authorization !== undefined) return presentedBy(arrival);
  const session = parts.browser.sessionOf(arrival);
  if (session === undefined) return {};
  const isChange = request.method !== 'GET' && request.method !== 'HEAD';
  return isChange && !parts.browser.isOwnOrigin(arrival) ? undefined : { browser: session };
}

async function evaluate(
  arrival: OwnArrival,
  place: 'evaluation' | 'evaluations',
  body: JsonObject,
  presented: PresentedCredentials,
): Promise<void> {
  const many = place === 'evaluations' ? parseEvaluations(body) : undefined;
  if (many?.ok === false) return refuse(arrival, failure('invalid-params', { message: many.error }));
  if (many?.value === undefined) {
    const one = parseEvaluation(body);
    if (!one.ok) return refuse(arrival, failure('invalid-params', { message: one.error }));
    return answer(
      arrival,
      await runAct(arrival, { name: 'askAccess', questions: [one.value], until: 'all' }, presented),
    );
  }
  const { evaluations, until } = many.value;
  const questions = evaluations.flatMap((read) => (read.ok ? [read.value] : []));
  const handled = await runAct(arrival, { name: 'askAccess', questions, until }, presented);
  if (handled.administered?.kind !== 'access') return answer(arrival, handled);
  // Answers come for the questions that could be read, in order, and may end early.
  const answers = handled.administered.answers.values();
  const decisions: Decision[] = [];
  for (const read of evaluations) {
    const next = read.ok ? answers.next() : undefined;
    if (next?.done === true) break;
    const decision = read.ok && next !== undefined ? decisionOf(next.value) : unreadable(read.ok ? '' : read.error);
    decisions.push(decision);
    if (until === (decision.decision ? 'first-permit' : 'first-deny')) break;
  }
  respondJson(arrival, { evaluations: decisions });
}

async function decide(
  arrival: OwnArrival,
  id: string,
  body: JsonObject,
  presented: PresentedCredentials,
): Promise<void> {
  const verdict = parseVerdict(body);
  if (verdict === undefined) {
    return refuse(arrival, failure('invalid-params', { message: 'verdict must be "approved" or "declined".' }));
  }
  return answer(arrival, await runAct(arrival, { name: 'decideApproval', id, verdict }, presented));
}

function answer(arrival: OwnArrival, { outcome, administered }: Handled): void {
  const { publicUrl, now } = arrival.parts;
  const view = { publicUrl, nowMs: now() };
  switch (administered?.kind) {
    case 'access': {
      const [only] = administered.answers;
      return respondJson(arrival, only === undefined ? unreadable('Nothing was asked.') : decisionOf(only));
    }
    case 'approvals':
      return respondJson(arrival, { approvals: administered.approvals.map((one) => approvalJson(one, view)) });
    case 'approval':
      return respondJson(arrival, approvalJson(administered.approval, view));
    default:
      return answerFailure(arrival, outcome.kind === 'failed' ? outcome.failure : failure('internal'));
  }
}
