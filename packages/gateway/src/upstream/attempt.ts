/**
 * One attempt to make a call: a credential, a live upstream, the call, and letting go of both. A call in the middle of which
 * its server asks something is parked with its upstream, and the attempt that brings the answers goes on with it.
 */

import { setImmediate as nextTurn } from 'node:timers/promises';

import type { Credential, CredentialBroker, CredentialRenewal } from '../credential/broker.ts';
import type { AttemptWatch, Call, Send, SendOptions } from '../model/call.ts';
import { failure, refuse, Refusal } from '../model/failure.ts';
import type { Failure } from '../model/failure.ts';
import type { JsonObject } from '../model/json.ts';
import type { Outcome } from '../model/outcome.ts';
import type { ServerId } from '../model/target.ts';
import type { Secret } from '../model/secret.ts';
import type { AttemptFact, CredentialKind, ReachedUpstream } from '../model/trail.ts';
import { Asked } from './asking-call.ts';
import { capabilityProfile, NO_PROFILE, profileWith, type CapabilityProfile } from './capability-profile.ts';
import type { Connector, SpokenTo, Upstream } from './connector.ts';
import type { Hold, ParkedCalls, ParkedContinuation } from './parking.ts';
import type { UpstreamPool } from './pool.ts';
import type { Member, PoolLimits } from './pool-shelf.ts';
import { tiedToServer } from './questions.ts';
import { untilRead } from './streamed-result.ts';
import { beginTask, isStep } from './tasks/begin-task.ts';
import type { HeldTasks } from './tasks/held-tasks.ts';
import type { StepCall } from './tasks/legacy-task.ts';

type AttemptParts = {
  readonly pool: UpstreamPool;
  readonly heldTasks: HeldTasks;
  readonly broker: CredentialBroker;
  readonly renewal: CredentialRenewal | undefined;
  readonly parkedCalls: ParkedCalls;
  readonly routeTo: (server: ServerId) => { readonly connector: Connector; readonly limits: PoolLimits } | undefined;
  /** How the server was found to speak, noted when it is reached. */
  readonly stateOf: (server: ServerId) => { spokenTo?: SpokenTo };
};

/** Throws a Refusal for what went wrong before an upstream was there. */
export function createAttempt({ pool, broker, renewal, parkedCalls, heldTasks, routeTo, stateOf }: AttemptParts): Send {
  const acquire = (call: Call, credential: Credential, signal: AbortSignal): Member | Promise<Member> => {
    const { server } = call.entry;
    const route = routeTo(server.id);
    if (route === undefined) throw new Refusal(notConfigured(server.id));
    const { principal } = call.intent.permit;
    const { session } = call.client;
    // A modern server hears with each request what it may ask; a legacy one once, when its session is opened.
    const profile = stateOf(server.id).spokenTo?.era === 'modern' ? NO_PROFILE : profileOf(call);
    const { connector, limits } = route;
    const request = { server, connector, limits, credential, principal, profile, signal };
    return pool.acquire(session === undefined ? request : { ...request, session });
  };

  const attemptOnce = async (call: Call, sendOptions: SendOptions, used: UsedCredential): Promise<Attempted> => {
    const { server } = call.entry;
    const watch = sendOptions.watch?.attempt(server, routeTo(server.id)?.connector.place);
    const found: AttemptParties = {};
    try {
      const parked = parkedWith(sendOptions);
      const task = isStep(call) ? heldTasks.find(call) : undefined;
      const attempted =
        parked !== undefined
          ? { outcome: await goOn(call, sendOptions, { parked, found }), again: false }
          : task !== undefined && isStep(call)
            ? { outcome: await askTask(call, sendOptions, { task, found }), again: false }
            : await reach(watched(call, watch), sendOptions, { found, used });
      const { outcome } = attempted;
      watch?.ended({ ...found, outcome: attemptOutcome(outcome), ...errorOf(outcome) });
      return attempted;
    } catch (error) {
      const { code } = failureOf(error);
      watch?.ended({ ...found, outcome: code, errorType: code });
      throw error;
    }
  };

  const reach = async (call: Call, sendOptions: SendOptions, { found, used }: Reaching): Promise<Attempted> => {
    const { signal } = sendOptions;
    const { principal } = call.intent.permit;
    const { id } = call.entry.server;
    const obtained = broker.obtain(principal, id, signal, used.subject);
    const credential = obtained instanceof Promise ? await obtained : obtained;
    found.credential = credential.kind;
    used.credential = credential;
    const acquired = acquire(call, credential, signal);
    const member = acquired instanceof Promise ? await acquired : acquired;
    found.upstream = member.upstream.reached;
    const state = stateOf(id);
    if (state.spokenTo?.revision !== member.upstream.revision) state.spokenTo = spokenTo(member.upstream);
    const hold = {
      upstream: member.upstream,
      rounds: 0,
      discard: () => pool.discard(id, member),
      release: once(() => pool.release(id, member)),
    };
    const heard = listenTo(member.upstream);
    // It was held once, and is not any more: perhaps the server knows it all the same.
    if (isStep(call) && call.step.ref.held !== undefined) {
      if (call.entry.server.sharing === 'call') throw refuseEnded(hold);
      const task = { upstream: member.upstream, id: heldTasks.adopt(call, hold) };
      return { outcome: await askTask(call, sendOptions, { task, found }), again: false };
    }
    const outcome = await settled(call, hold, { signal, answer: member.upstream.send(call, sendOptions) });
    if (isError(outcome)) await heard(found);
    return { outcome, again: endedBefore(outcome) };
  };

  /** The session or the process that has the task is asked, whatever new one its caller's calls go to by now. */
  const askTask = async (call: StepCall, sendOptions: SendOptions, { task, found }: AskingTask): Promise<Outcome> => {
    found.upstream = task.upstream.reached;
    const heard = listenTo(task.upstream);
    const outcome = await heldTasks.step(task.id, call, sendOptions);
    if (isError(outcome)) await heard(found);
    return outcome;
  };

  /** The outcome of a call that holds an upstream: let go when it has ended, kept while a person is asked or a task lives in it. */
  const settled = async (call: Call, hold: Hold, { signal, answer }: Answering): Promise<Outcome> => {
    let outcome: Outcome;
    try {
      outcome = await answer;
    } catch (error) {
      hold.release();
      throw error;
    }
    if (outcome instanceof Asked) return parkedCalls.park(call, outcome, hold);
    if (outcome.kind === 'task' && !isStep(call)) return beginTask(call, outcome.task, hold, heldTasks);
    if (endedBefore(outcome)) hold.discard();
    return untilRead(tiedToServer(call, outcome), signal, hold.release);
  };

  /** The same call, once more with somebody who waits for it. */
  const goOn = async (call: Call, sendOptions: SendOptions, { parked, found }: Returning): Promise<Outcome> => {
    const { open, hold } = parkedCalls.take(call, parked.continuation);
    found.upstream = hold.upstream.reached;
    const heard = listenTo(hold.upstream);
    const answer = open.resume(parked.responses, sendOptions);
    const outcome = await settled(call, hold, { signal: sendOptions.signal, answer });
    if (isError(outcome)) await heard(found);
    return outcome;
  };

  /** The server refused the credential, and by now there is another: what it refused it has not done. */
  const isReplaced = async (
    call: Call,
    of: Failure,
    { credential }: UsedCredential,
    signal: AbortSignal,
  ): Promise<boolean> => {
    if (of.code !== 'upstream-refused' || credential === undefined || signal.aborted) return false;
    // Of a person's consent: another token helps against a 401 alone, and a 403 wants another consent.
    if (credential.owner !== undefined) {
      return of.credentialRejected === true && renewal !== undefined && renewal.rejected(credential, signal);
    }
    const { principal } = call.intent.permit;
    return broker.replace(credential, { principal, server: call.entry.server.id }, signal);
  };

  // The caller's own token ends here: it is for the broker, and no upstream is given it.
  return async (call, { subject, ...sendOptions }) => {
    const means = subject === undefined ? {} : { subject };
    const used: UsedCredential = { ...means };
    const { signal } = sendOptions;
    let first: Attempted;
    try {
      first = await attemptOnce(call, sendOptions, used);
    } catch (error) {
      if (!(await isReplaced(call, failureOf(error), used, signal))) throw error;
      return (await attemptOnce(call, sendOptions, { ...means })).outcome;
    }
    const { outcome } = first;
    // Nothing left for the server, so this cannot be a second time; once only, because a fresh one ends for a reason.
    const again = first.again || (outcome.kind === 'failed' && (await isReplaced(call, outcome.failure, used, signal)));
    return again && !signal.aborted ? (await attemptOnce(call, sendOptions, { ...means })).outcome : outcome;
  };
}

type AskingTask = {
  readonly task: { readonly upstream: Upstream; readonly id: string };
  readonly found: AttemptParties;
};

/** The process that had the task was for one call alone. */
function refuseEnded({ release }: Hold): Refusal {
  release();
  return refuse('unknown-task', { reason: 'the process that had the task has ended' });
}

/** A task is found in a session that was told the same. */
const profileOf = ({ client, step }: Call): CapabilityProfile =>
  step?.ref.profile === undefined ? capabilityProfile(client) : profileWith(step.ref.profile);

type Attempted = { readonly outcome: Outcome; readonly again: boolean };

/** What an attempt was made with, noted as soon as it is known. */
type UsedCredential = { credential?: Credential; readonly subject?: Secret };

type Reaching = { readonly found: AttemptParties; readonly used: UsedCredential };

type Answering = { readonly signal: AbortSignal; readonly answer: Promise<Outcome> };

type Parked = { readonly continuation: ParkedContinuation; readonly responses: JsonObject };
type Returning = { readonly parked: Parked; readonly found: AttemptParties };

function parkedWith({ answers }: SendOptions): Parked | undefined {
  if (answers?.continuation?.kind !== 'parked') return undefined;
  return { continuation: answers.continuation, responses: answers.responses };
}

/** A hold is let go once, however many ways a call has to end. */
function once(done: () => void): () => void {
  let isDone = false;
  return () => {
    if (isDone) return;
    isDone = true;
    done();
  };
}

/** What is known of an attempt so far. */
type AttemptParties = { credential?: CredentialKind; upstream?: ReachedUpstream; stderr?: readonly string[] };

/** What a process writes to stderr from now on. */
function listenTo({ stderr }: Pick<Upstream, 'stderr'>): (found: AttemptParties) => Promise<void> {
  const mark = stderr?.mark() ?? 0;
  return async (found) => {
    if (stderr === undefined) return;
    // What was written before the answer may lie in the other pipe still: one turn of the event loop reads both.
    await nextTurn();
    found.stderr = stderr.since(mark);
  };
}

const isError = (outcome: Outcome): boolean => errorOf(outcome).errorType !== undefined;

/** The server sees the attempt's place in the trace, not what the client sent. */
function watched(call: Call, watch: AttemptWatch | undefined): Call {
  const traceContext = watch?.traceContext;
  if (traceContext === undefined) return call;
  // As headers, too, where there are headers: services of every kind read those, and MCP servers alone the others.
  const traceHeaders = Object.entries(traceContext).flatMap(([name, value]) =>
    typeof value === 'string' ? [name, value] : [],
  );
  return { ...call, traceHeaders, meta: { ...call.meta, vendor: { ...call.meta.vendor, ...traceContext } } };
}

function attemptOutcome(outcome: Outcome): AttemptFact['outcome'] {
  if (outcome.kind === 'failed') return outcome.failure.code;
  if (outcome.kind === 'input-required') return 'input_required';
  return isError(outcome) ? 'tool_error' : 'ok';
}

/** The upstream was taken from the pool and had ended before the request left. */
function endedBefore(outcome: Outcome): boolean {
  return outcome.kind === 'failed' && outcome.failure.code === 'upstream-closed' && outcome.failure.sent === 'no';
}

const spokenTo = ({ era, revision, transport }: Upstream): SpokenTo => ({ era, revision, transport });

const LOWER_T = 0x74;

type ErrorWords = Pick<AttemptFact, 'errorType' | 'statusCode'>;

const NO_ERROR: ErrorWords = {};
const TOOL_ERROR: ErrorWords = { errorType: 'tool_error' };

/** The JSON-RPC code of an upstream's error, `tool_error` for a tool that says it failed, or our own failure's code. */
export function errorOf(outcome: Outcome): ErrorWords {
  if (outcome.kind === 'failed') {
    const { code, upstream } = outcome.failure;
    if (upstream === undefined) return { errorType: code };
    return { errorType: String(upstream.code), statusCode: String(upstream.code) };
  }
  if (outcome.kind !== 'complete') return NO_ERROR;
  const { result } = outcome;
  if (result.kind === 'value') return result.value['isError'] === true ? TOOL_ERROR : NO_ERROR;
  const member = result.message.members.get('isError');
  return member !== undefined && result.message.head[member.valueStart] === LOWER_T ? TOOL_ERROR : NO_ERROR;
}

export const notConfigured = (server: ServerId): Failure =>
  failure('server-unavailable', { message: `The server ${server} is not configured any more.` });

export const failureOf = (error: unknown): Failure =>
  error instanceof Refusal ? error.failure : failure('internal', { sent: 'maybe', cause: error });
