/** The small pages for people: log in, see what waits for my word, decide it. Server-made, without a script. */

import { failureMessage, failure, type Failure } from '../../model/failure.ts';
import type { BrowserSession } from '../../model/request.ts';
import type { Handled } from '../../pipeline/pipeline.ts';
import { statusOf } from '../api/problem.ts';
import { readForm } from '../api/read-body.ts';
import { runAct } from '../api/run-act.ts';
import { noteRefusal, refuse, type OwnArrival } from '../arrival.ts';
import { parseVerdict } from '../api/approval-json.ts';
import { approvalPage } from './approval-page.ts';
import { approvalsPage } from './approvals-page.ts';
import { postConnect, receiveConsent, showConnect } from './connect.ts';
import { redirect, respondPage } from './layout.ts';
import { receiveCallback, receiveLogin, receiveLogout } from './login.ts';
import * as messages from './messages.ts';

export async function receivePage(arrival: OwnArrival): Promise<void> {
  const { route, request } = arrival;
  if (route.kind !== 'page') return;
  const { place } = route;
  const posted = request.method === 'POST';
  const takesPost = place.name === 'logout' || place.name === 'approval' || place.name === 'connect';
  if (posted ? !takesPost : place.name === 'logout' || (request.method !== 'GET' && request.method !== 'HEAD')) {
    return refuse(arrival, failure('method-not-allowed', { message: 'This is a page: open it in a browser.' }));
  }
  const elsewhere = posted ? undefined : ownAddress(arrival);
  if (elsewhere !== undefined) return redirect(arrival, elsewhere);
  switch (place.name) {
    case 'login':
      return receiveLogin(arrival);
    case 'login-callback':
      return receiveCallback(arrival);
    case 'logout':
      return receiveLogout(arrival);
    case 'logged-out':
      return respondPage(arrival, messages.loggedOut());
    case 'approvals':
      return showApprovals(arrival);
    case 'consent-callback':
      return receiveConsent(arrival);
    case 'connect':
      return posted ? postConnect(arrival, place.server) : showConnect(arrival, place.server);
    case 'approval':
      return posted ? decide(arrival, place.id) : showApproval(arrival, place.id);
  }
}

const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i;

/**
 * A machine has several names for itself, and a cookie belongs to one: who typed `localhost` is sent to the name in
 * `publicUrl`, where the log-in comes back to. Only between names of loopback, so that a proxy that rewrites Host makes no loop.
 */
function ownAddress({ headers, parts, request }: OwnArrival): string | undefined {
  const { host } = new URL(parts.publicUrl);
  const asked = headers.host ?? '';
  if (asked.toLowerCase() === host || !LOOPBACK.test(asked) || !LOOPBACK.test(host)) return undefined;
  return parts.publicUrl + (request.url ?? '');
}

/** The session, or undefined when the browser was sent to log in. */
function sessionFor(arrival: OwnArrival, returnTo: string): BrowserSession | undefined {
  const { browser } = arrival.parts;
  if (browser.login === undefined) {
    respondPage(arrival, messages.noLogin());
    return undefined;
  }
  const session = browser.sessionOf(arrival);
  if (session === undefined) redirect(arrival, messages.loginPath(returnTo));
  return session;
}

async function showApprovals(arrival: OwnArrival): Promise<void> {
  const session = sessionFor(arrival, '/approvals');
  if (session === undefined) return;
  const handled = await runAct(arrival, { name: 'readApprovals' }, { browser: session });
  if (handled.administered?.kind !== 'approvals' || handled.principal === undefined) {
    return showFailure(arrival, handled, '/approvals');
  }
  respondPage(arrival, approvalsPage(handled.administered.approvals, handled.principal, arrival.parts.now()));
}

async function showApproval(arrival: OwnArrival, id: string): Promise<void> {
  const session = sessionFor(arrival, `/approvals/${id}`);
  if (session === undefined) return;
  const handled = await runAct(arrival, { name: 'readApprovals', id }, { browser: session });
  if (handled.administered?.kind !== 'approval' || handled.principal === undefined) {
    return showFailure(arrival, handled, `/approvals/${id}`);
  }
  const { approval } = handled.administered;
  const { browser, now } = arrival.parts;
  const token = browser.formToken(session, approval.id);
  respondPage(arrival, approvalPage({ approval, viewer: handled.principal, nowMs: now(), token }));
}

async function decide(arrival: OwnArrival, id: string): Promise<void> {
  const { browser } = arrival.parts;
  const form = await readForm(arrival);
  if (!form.ok) return form.error.failure && refuse(arrival, form.error.failure, { unread: form.error.unread });
  if (!browser.isOwnOrigin(arrival)) {
    noteRefusal(arrival, 'origin-refused');
    return respondPage(arrival, messages.notFromHere());
  }
  if (browser.login === undefined) return respondPage(arrival, messages.noLogin());
  const session = browser.sessionOf(arrival);
  // Not sent to log in from here: a form may lead to no other site (`form-action`).
  if (session === undefined) {
    noteRefusal(arrival, 'unauthenticated');
    return respondPage(arrival, messages.sessionEnded(`/approvals/${id}`));
  }
  const verdict = parseVerdict({ verdict: form.value.get('verdict') });
  if (verdict === undefined || !browser.isFormToken(form.value.get('token') ?? '', session, id)) {
    noteRefusal(arrival, 'invalid-params');
    return respondPage(arrival, messages.notFromHere());
  }
  const handled = await runAct(arrival, { name: 'decideApproval', id, verdict }, { browser: session });
  if (handled.administered === undefined) return showFailure(arrival, handled, `/approvals/${id}`);
  // Loading the next page again repeats nothing.
  redirect(arrival, `/approvals/${id}`);
}

/** Recorded and counted already: the pipeline has seen it. */
function showFailure(arrival: OwnArrival, { outcome, principal }: Handled, returnTo: string): void {
  const of: Failure = outcome.kind === 'failed' ? outcome.failure : failure('internal');
  const viewer = principal === undefined ? {} : { viewer: principal.name };
  const { fault } = of.data ?? {};
  if (fault === 'unknown') return respondPage(arrival, { ...messages.noSuchApproval(), ...viewer });
  if (isDecisionFault(fault)) {
    const id = returnTo.slice('/approvals/'.length);
    return respondPage(arrival, { ...messages.decisionRefused(fault, id), ...viewer });
  }
  switch (of.code) {
    case 'expired-credential':
    case 'invalid-credential':
    case 'unauthenticated':
      return respondPage(arrival, messages.sessionEnded(returnTo));
    case 'approvals-unavailable':
    case 'record-unavailable':
      return respondPage(arrival, { ...messages.approvalsDown(), ...viewer });
    case 'forbidden': {
      const detail = of.message ?? 'Policy does not allow you to see or decide approvals. Ask the operator.';
      return respondPage(arrival, { ...messages.refused(403, detail), ...viewer });
    }
    default:
      return respondPage(arrival, { ...messages.refused(statusOf(of.code), failureMessage(of)), ...viewer });
  }
}

type ShownFault = Parameters<typeof messages.decisionRefused>[0];

const SHOWN_FAULTS: readonly unknown[] = [
  'expired',
  'already-decided',
  'own-request',
  'not-asked',
  'needs-browser',
] satisfies ShownFault[];

const isDecisionFault = (fault: unknown): fault is ShownFault => SHOWN_FAULTS.includes(fault);
