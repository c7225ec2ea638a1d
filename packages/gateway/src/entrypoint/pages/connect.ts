/** The way of a person's browser to a server's log-in and back. Only whoever the link is for, and only from our own page. */

import type { Consent, ConsentProblem } from '../../credential/consents.ts';
import type { FailureCode } from '../../model/failure.ts';
import type { Principal } from '../../model/principal.ts';
import type { BrowserSession } from '../../model/request.ts';
import type { ServerId } from '../../model/target.ts';
import { readForm } from '../api/read-body.ts';
import { addressOf, noteRefusal, refuse, type OwnArrival } from '../arrival.ts';
import type { OpenedLink } from './connect-links.ts';
import * as pages from './connect-page.ts';
import { redirect, respondPage, type Page } from './layout.ts';
import * as messages from './messages.ts';

/** Somebody in front of a browser, and what they were sent here for. */
type Visit = {
  readonly server: ServerId;
  readonly session: BrowserSession;
  readonly principal: Principal;
  readonly link: OpenedLink | undefined;
  readonly linkText: string;
  readonly consent: Consent;
};

/** Every exchange with an authorization server, for which a person waits. */
const WAIT_MS = 20_000;
/** Sealed values are longer than any of ours needs; a URL has to stay one. */
const MAX_LINK_CHARS = 4_096;

export async function showConnect(arrival: OwnArrival, server: ServerId): Promise<void> {
  const visit = await visitOf(arrival, server, queryOf(arrival).get('link') ?? '');
  if (visit === undefined) return;
  const { consent, session, principal, link, linkText } = visit;
  const offer = await consent.offer(link?.scopes ?? [], AbortSignal.timeout(WAIT_MS));
  if (!offer.ok) return showProblem(arrival, server, offer.error);
  const token = arrival.parts.browser.formToken(session, formOf(visit));
  const view = {
    server,
    title: consent.title,
    offer: offer.value,
    viewer: principal.name,
    client: link?.client,
    token,
  };
  respondPage(arrival, pages.consentPage({ ...view, link: linkText }));
}

export async function postConnect(arrival: OwnArrival, server: ServerId): Promise<void> {
  const { browser, connectLinks, connectCookies } = arrival.parts;
  const form = await readForm(arrival);
  if (!form.ok) return form.error.failure && refuse(arrival, form.error.failure, { unread: form.error.unread });
  if (!browser.isOwnOrigin(arrival)) return refused(arrival, 'origin-refused', messages.notFromHere());
  const visit = await visitOf(arrival, server, form.value.get('link') ?? '');
  if (visit === undefined) return;
  const { consent, session, principal, link } = visit;
  if (!browser.isFormToken(form.value.get('token') ?? '', session, formOf(visit))) {
    return refused(arrival, 'invalid-params', messages.notFromHere());
  }
  if (form.value.get('verdict') !== 'connect') return respondPage(arrival, pages.cancelled());
  if (link !== undefined && !connectLinks.use(link.id)) {
    return refused(arrival, 'invalid-state', pages.linkRefused('used', server));
  }
  const begun = await consent.begin(link?.scopes ?? [], AbortSignal.timeout(WAIT_MS));
  if (!begun.ok) return showProblem(arrival, server, begun.error);
  const { url, pending } = begun.value;
  const started = { pending, principal: principal.key, server, client: link?.client };
  const page = pages.onTheWay(url, pending.issuer, principal.name);
  respondPage(arrival, { ...page, cookies: [connectCookies.started(started)] });
}

export async function receiveConsent(arrival: OwnArrival): Promise<void> {
  const { browser, connectCookies, consents } = arrival.parts;
  const url = arrival.request.url ?? '';
  const query = url.slice(url.indexOf('?') + 1);
  const state = queryOf(arrival).get('state') ?? '';
  const started = connectCookies.returning(arrival.request.rawHeaders, state);
  if (started === undefined) return refused(arrival, 'invalid-state', pages.consentInvalid());
  const cookies = [connectCookies.forget(state)];
  const session = browser.sessionOf(arrival);
  const principal = session === undefined ? undefined : browser.login?.principalOf(session);
  // Whoever logged in here meanwhile would give the consent of another.
  if (principal?.key !== started.principal) {
    return refused(arrival, 'invalid-state', { ...pages.consentInvalid(), cookies });
  }
  const { server, pending } = started;
  const consent = await consents?.of(principal, server, true);
  if (consent === undefined) return respondPage(arrival, { ...pages.nothingToConnect(), cookies });
  const signal = AbortSignal.timeout(WAIT_MS);
  const source = { address: addressOf(arrival), requestId: arrival.id, signal };
  const kept = await consent.finish(pending, query, source);
  if (!kept.ok) return showProblem(arrival, server, kept.error, cookies);
  respondPage(arrival, { ...pages.connected(consent.title), viewer: principal.name, cookies });
}

const formOf = ({ server, link }: Visit): string => `connect/${server}/${link?.id ?? ''}`;

/** Undefined when a page has been shown instead, or the browser was sent to log in. */
async function visitOf(arrival: OwnArrival, server: ServerId, linkText: string): Promise<Visit | undefined> {
  const { browser, connectLinks, consents } = arrival.parts;
  const show = (page: Page): undefined => {
    respondPage(arrival, page);
    return undefined;
  };
  if (browser.login === undefined || consents === undefined) return show(messages.noBrowserLogin());
  if (linkText.length > MAX_LINK_CHARS) return show(pages.linkRefused('invalid', server));
  const session = browser.sessionOf(arrival);
  if (session === undefined) {
    const page = `/connect/${server}${linkText === '' ? '' : `?link=${encodeURIComponent(linkText)}`}`;
    // Not sent to log in from a form: it may lead to no other site.
    if (arrival.request.method === 'POST') return show(messages.sessionEnded(page));
    redirect(arrival, messages.loginPath(page));
    return undefined;
  }
  const principal = browser.login.principalOf(session);
  if (principal === undefined) return show(messages.sessionEnded(`/connect/${server}`));
  const link = linkText === '' ? undefined : connectLinks.open(linkText);
  if (link?.ok === false) return refused(arrival, 'invalid-state', pages.linkRefused(link.error, server));
  if (link !== undefined && link.value.server !== server) {
    return refused(arrival, 'invalid-state', pages.linkRefused('invalid', server));
  }
  if (link !== undefined && link.value.principal !== principal.key) {
    return refused(arrival, 'forbidden', pages.notYourLink(principal.name));
  }
  const consent = await consents.of(principal, server, link !== undefined);
  if (consent === undefined) return show({ ...pages.nothingToConnect(), viewer: principal.name });
  return { server, session, principal, link: link?.value, linkText, consent };
}

/** Recorded: whoever tries such things is looked for. */
function refused(arrival: OwnArrival, code: FailureCode, page: Page): undefined {
  noteRefusal(arrival, code);
  arrival.parts.logger.info(
    { requestId: arrival.id, address: addressOf(arrival), reason: page.title },
    'a consent was refused',
  );
  respondPage(arrival, page);
}

function showProblem(
  arrival: OwnArrival,
  server: ServerId,
  { fault, reason }: ConsentProblem,
  cookies: readonly string[] = [],
): void {
  const { logger } = arrival.parts;
  const fields = { requestId: arrival.id, server, reason };
  if (fault === 'unsuitable' || fault === 'unregistered') logger.warn(fields, 'a server cannot be connected');
  else logger.info(fields, 'a server was not connected');
  if (fault === 'invalid' || fault === 'refused') noteRefusal(arrival, FAULT_CODES[fault]);
  respondPage(arrival, { ...pageOf(fault, server, arrival.id), cookies });
}

const FAULT_CODES = { invalid: 'invalid-state', refused: 'needs-login' } as const;

function pageOf(fault: ConsentProblem['fault'], server: ServerId, requestId: string): Page {
  switch (fault) {
    case 'unreachable':
      return pages.consentUnreachable(server);
    case 'unsuitable':
    case 'unregistered':
      return pages.consentImpossible(requestId);
    case 'refused':
      return pages.consentRefused(server);
    case 'invalid':
      return pages.consentInvalid();
    default:
      return fault satisfies never;
  }
}

const queryOf = ({ request }: OwnArrival): URLSearchParams => {
  const url = request.url ?? '';
  const mark = url.indexOf('?');
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1));
};
