/** To the identity provider and back. */

import type { LoginFault } from '../../authn/browser-login.ts';
import type { AuthenticationEvent } from '../../model/event.ts';
import { Refusal } from '../../model/failure.ts';
import type { Principal } from '../../model/principal.ts';
import type { BrowserSession } from '../../model/request.ts';
import { addressOf, noteRefusal, sourceOf, type OwnArrival } from '../arrival.ts';
import { routeOf } from '../route.ts';
import { redirect, respondPage } from './layout.ts';
import * as messages from './messages.ts';

const HOME = '/approvals';

/** Back to one of our own pages and nowhere else: an open redirect would lend our name to any site. */
export function returnPath(asked: string | null): string {
  const route = asked === null ? undefined : routeOf(asked);
  if (asked === null || route?.kind !== 'page') return HOME;
  const { name } = route.place;
  if (name === 'connect') return CONNECT_PAGE.test(asked) ? asked : HOME;
  return (name === 'approvals' || name === 'approval') && !asked.includes('?') ? asked : HOME;
}

/** With the link that led there, which is sealed. */
const CONNECT_PAGE = /^\/connect\/[a-z0-9-]+(?:\?link=[\w.~-]{1,4096})?$/;

const queryOf = ({ request }: OwnArrival): string => {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
};

export async function receiveLogin(arrival: OwnArrival): Promise<void> {
  const { browser } = arrival.parts;
  const query = new URLSearchParams(queryOf(arrival));
  const returnTo = returnPath(query.get('return'));
  const { login } = browser;
  if (login === undefined) return respondPage(arrival, messages.noLogin());
  const [only, another] = login.issuers;
  const chosen = another === undefined ? only : login.issuers[Number(query.get('issuer') ?? -1)];
  if (chosen === undefined) return respondPage(arrival, messages.chooseIssuer(login.issuers, returnTo));
  const begun = await orUnavailable(() => login.begin(chosen));
  if (begun === 'unavailable' || begun === undefined) return respondPage(arrival, messages.providerDown(returnTo));
  redirect(arrival, begun.url, [browser.started({ pending: begun.pending, returnTo })]);
}

export async function receiveCallback(arrival: OwnArrival): Promise<void> {
  const { parts } = arrival;
  const { browser, logger } = parts;
  const { login } = browser;
  if (login === undefined) return respondPage(arrival, messages.noLogin());
  const returning = browser.returning(arrival);
  const cookies = [browser.forgetLogin];
  if (returning === undefined) {
    logger.info({ requestId: arrival.id, address: addressOf(arrival) }, 'a log-in came back that was not begun here');
    noteLogin(arrival, { failure: { code: 'invalid-credential', reason: 'log-in: not begun here, or over' } });
    return respondPage(arrival, { ...messages.loginInvalid(HOME), cookies });
  }
  const { pending, returnTo } = returning;
  const finished = await orUnavailable(() => login.finish(pending, queryOf(arrival)));
  const claimed = { issuer: pending.issuer };
  if (finished === 'unavailable') {
    noteLogin(arrival, { claimed, failure: { code: 'identity-unavailable' } });
    return respondPage(arrival, { ...messages.providerDown(returnTo), cookies });
  }
  if (!finished.ok) {
    noteLogin(arrival, { claimed, failure: LOGIN_FAILURES[finished.error] });
    const page = finished.error === 'denied' ? messages.loginDenied(returnTo) : messages.loginInvalid(returnTo);
    return respondPage(arrival, { ...page, cookies });
  }
  const principal = login.principalOf(finished.value);
  const whose = principal === undefined ? { claimed } : { principal };
  const opened = browser.opened(finished.value);
  if (!opened.ok) {
    noteLogin(arrival, {
      ...whose,
      failure: { code: 'invalid-credential', reason: 'log-in: more than a cookie holds' },
    });
    return respondPage(arrival, { ...messages.sessionTooLarge(), cookies });
  }
  noteLogin(arrival, { ...whose, session: finished.value.id });
  if (principal !== undefined) parts.followedSessions.opened(sessionEvent(arrival, finished.value, principal));
  redirect(arrival, returnTo, [...cookies, opened.value]);
}

export function receiveLogout(arrival: OwnArrival): void {
  const { browser, followedSessions } = arrival.parts;
  if (!browser.isOwnOrigin(arrival)) {
    noteRefusal(arrival, 'origin-refused');
    return respondPage(arrival, messages.notFromHere());
  }
  const session = browser.sessionOf(arrival);
  const principal = session === undefined ? undefined : browser.login?.principalOf(session);
  if (session !== undefined && principal !== undefined) {
    followedSessions.ended(sessionEvent(arrival, session, principal), 'logged out');
  }
  redirect(arrival, '/logged-out', [browser.ended(session)]);
}

const LOGIN_FAILURES: Readonly<Record<LoginFault, NonNullable<AuthenticationEvent['failure']>>> = {
  denied: { code: 'log-in-denied', reason: 'log-in: the issuer says that the person did not log in' },
  invalid: { code: 'invalid-credential', reason: 'log-in: not the answer to what was asked' },
};

type LoginFacts = Pick<AuthenticationEvent, 'principal' | 'claimed' | 'session' | 'failure'>;

const noteLogin = (arrival: OwnArrival, facts: LoginFacts): void =>
  arrival.parts.note({
    kind: 'authentication',
    activity: 'log-in',
    credential: 'browser',
    ...sourceOf(arrival),
    ...facts,
  });

const sessionEvent = (arrival: OwnArrival, { id, expiresAtMs }: BrowserSession, principal: Principal) =>
  ({ of: 'browser', session: id, principal, expiresAtMs, ...sourceOf(arrival) }) as const;

/** Logged where it was found out. */
async function orUnavailable<T>(attempt: () => Promise<T>): Promise<T | 'unavailable'> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof Refusal && error.failure.code === 'identity-unavailable') return 'unavailable';
    throw error;
  }
}
