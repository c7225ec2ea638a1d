/** To the identity provider and back. */

import { Refusal } from '../../model/failure.ts';
import { addressOf, type OwnArrival } from '../arrival.ts';
import { routeOf } from '../route.ts';
import { redirect, respondPage } from './layout.ts';
import * as messages from './messages.ts';

const HOME = '/approvals';

/** Back to one of our own pages and nowhere else: an open redirect would lend our name to any site. */
export function returnPath(asked: string | null): string {
  const route = asked === null ? undefined : routeOf(asked);
  if (asked === null || route?.kind !== 'page') return HOME;
  const { name } = route.place;
  return (name === 'approvals' || name === 'approval') && !asked.includes('?') ? asked : HOME;
}

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
  const { browser, logger } = arrival.parts;
  const { login } = browser;
  if (login === undefined) return respondPage(arrival, messages.noLogin());
  const returning = browser.returning(arrival);
  const cookies = [browser.forgetLogin];
  if (returning === undefined) {
    logger.info({ requestId: arrival.id, address: addressOf(arrival) }, 'a log-in came back that was not begun here');
    return respondPage(arrival, { ...messages.loginInvalid(HOME), cookies });
  }
  const { pending, returnTo } = returning;
  const finished = await orUnavailable(() => login.finish(pending, queryOf(arrival)));
  if (finished === 'unavailable') return respondPage(arrival, { ...messages.providerDown(returnTo), cookies });
  if (!finished.ok) {
    const page = finished.error === 'denied' ? messages.loginDenied(returnTo) : messages.loginInvalid(returnTo);
    return respondPage(arrival, { ...page, cookies });
  }
  const opened = browser.opened(finished.value);
  if (!opened.ok) return respondPage(arrival, { ...messages.sessionTooLarge(), cookies });
  redirect(arrival, returnTo, [...cookies, opened.value]);
}

export function receiveLogout(arrival: OwnArrival): void {
  const { browser } = arrival.parts;
  if (!browser.isOwnOrigin(arrival)) return respondPage(arrival, messages.notFromHere());
  redirect(arrival, '/logged-out', [browser.ended(browser.sessionOf(arrival))]);
}

/** Logged where it was found out. */
async function orUnavailable<T>(attempt: () => Promise<T>): Promise<T | 'unavailable'> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof Refusal && error.failure.code === 'identity-unavailable') return 'unavailable';
    throw error;
  }
}
