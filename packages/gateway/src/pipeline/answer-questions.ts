/**
 * The pre-flight question: would this call get a permit? Answered by the very steps that a call takes (`resolve`, `admit`,
 * scopes, `pin`, `validate`, `authorize`), so it cannot come to differ from what is enforced. No quota is taken for the tool, nothing is
 * intended, nothing leaves; the permits that are made on the way are dropped here.
 */

import type { Authorizer } from '../authz/authorizer.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { ArgumentValidator } from '../guard/argument-validator.ts';
import type { AccessAnswer, AccessQuestion, AdministrativeAct } from '../model/administration.ts';
import { approverText } from '../model/decision.ts';
import { failureMessage, FAILURES, refuse, Refusal, type Failure, type FailureCode } from '../model/failure.ts';
import type { ClientFacts, RequestMeta, ResolvedRequest } from '../model/request.ts';
import { principalOf } from './access-subject.ts';
import { admit } from './admit.ts';
import type { ScopeCheck } from './check-scopes.ts';
import { pin } from './pin.ts';
import { RequestTrail } from './request-trail.ts';
import type { Exchange } from './pipeline.ts';
import { resolve } from './resolve.ts';
import { validate } from './validate.ts';

export type Asked = {
  readonly request: ResolvedRequest;
  readonly act: Extract<AdministrativeAct, { name: 'askAccess' | 'askAccessOfOthers' }>;
  readonly exchange: Pick<Exchange, 'signal' | 'timeoutMs'>;
  readonly tellPolicies: boolean;
};

export type AnswerParts = {
  readonly catalog: Catalog;
  readonly authorizer: Authorizer;
  readonly checkScopes: ScopeCheck;
  readonly validator: ArgumentValidator;
  readonly clockMs: () => number;
  /** Lets other work run. */
  readonly yieldNow: () => Promise<void>;
};

/** Below the 5 ms that nothing here may hold the event loop for. */
const SLICE_MS = 3;

export async function answerQuestions(asked: Asked, parts: AnswerParts): Promise<readonly AccessAnswer[]> {
  const { questions, until } = asked.act;
  const { signal, timeoutMs } = asked.exchange;
  const answers: AccessAnswer[] = [];
  const endsMs = parts.clockMs() + timeoutMs;
  let sliceEndsMs = parts.clockMs() + SLICE_MS;
  for (const question of questions) {
    const answer = await answerOne(question, asked, parts);
    answers.push(answer);
    if (until === (answer.decision ? 'first-permit' : 'first-deny')) break;
    const nowMs = parts.clockMs();
    if (nowMs < sliceEndsMs) continue;
    if (signal.aborted) throw refuse('cancelled');
    if (nowMs >= endsMs) throw refuse('overloaded', { message: TOO_LONG });
    await parts.yieldNow();
    sliceEndsMs = parts.clockMs() + SLICE_MS;
  }
  return answers;
}

const TOO_LONG = 'So many questions were not answered in time. Ask fewer at once.';

/** Headers belong to the transport of the call itself; whoever asks beforehand sends none. */
const noHeadersToCheck = (): undefined => undefined;

async function answerOne(
  question: AccessQuestion,
  { request, tellPolicies }: Asked,
  { catalog, authorizer, checkScopes, validator, clockMs }: AnswerParts,
): Promise<AccessAnswer> {
  const trail = new RequestTrail(clockMs);
  const told = (answer: Omit<AccessAnswer, 'policies'>): AccessAnswer =>
    tellPolicies ? { ...answer, policies: trail.decision?.grounds.policies ?? [] } : answer;
  try {
    const resolved = await resolve(asCalled(question, request), catalog, authorizer, trail);
    const admitted = await admit(resolved, catalog, authorizer, trail);
    checkScopes(admitted);
    if (!question.argumentsKnown) {
      const { grounds } = authorizer.admit(admitted, admitted.target.entries[0]);
      return tellPolicies
        ? { decision: true, approvals: [], policies: grounds.policies }
        : { decision: true, approvals: [] };
    }
    const pinned = pin(admitted, trail);
    await validate(pinned, validator, noHeadersToCheck);
    const decision = authorizer.authorize(pinned);
    trail.note({ kind: 'decided', decision });
    if (decision.effect === 'deny') {
      const message = decision.told === undefined ? {} : { message: decision.told };
      return told({ decision: false, approvals: [], ...wordsFor({ code: 'forbidden', sent: 'no', ...message }) });
    }
    return told({ decision: true, approvals: decision.permit.obligations.map(({ by }) => approverText(by)) });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return told({ decision: false, approvals: [], ...wordsFor(error.failure) });
  }
}

/** The request that the question is about, as it would stand after `authenticate`. */
function asCalled(
  { subject, server, operation, surface }: AccessQuestion,
  { id, receivedAtMs, startedMs, principal, client }: ResolvedRequest,
): Parameters<typeof resolve>[0] {
  return {
    id,
    receivedAtMs,
    startedMs,
    endpoint: { kind: 'server', server },
    principal: principalOf(subject, principal),
    client: surface === undefined ? client : calling(client, surface),
    operation,
    meta: NO_META,
    sealedFor: [],
  };
}

const NO_META: RequestMeta = { vendor: {} };

const calling = (client: ClientFacts, surface: string): ClientFacts => ({
  ...client,
  info: { name: surface, version: '' },
});

/**
 * Names are told back to whoever mistyped one, and near ones suggested; here the question holds the name, and an answer for
 * what is hidden must equal the one for what does not exist, whatever the names are.
 */
const UNKNOWN: ReadonlySet<FailureCode> = new Set([
  'unknown-server',
  'unknown-tool',
  'unknown-prompt',
  'unknown-resource',
]);

function wordsFor(failure: Failure): { readonly reason: FailureCode; readonly message: string } {
  const { code } = failure;
  return { reason: code, message: UNKNOWN.has(code) ? FAILURES[code].message : failureMessage(failure) };
}
