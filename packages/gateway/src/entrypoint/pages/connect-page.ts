/** What a person sees on the way to a consent: what they agree to, and what became of it. */

import type { ConsentOffer } from '../../credential/oauth/code-flow.ts';
import { markup, seen, type Html } from './html.ts';
import type { Page } from './layout.ts';
import { message } from './messages.ts';

export type ConsentView = {
  readonly server: string;
  readonly title: string;
  readonly offer: ConsentOffer;
  readonly viewer: string;
  /** What the client that asked calls itself. */
  readonly client: string | undefined;
  /** Goes with the form. */
  readonly token: string;
  readonly link: string;
};

export function consentPage({ server, title, offer, viewer, client, token, link }: ConsentView): Page {
  const who =
    client === undefined
      ? undefined
      : markup`<dt>Asked by</dt>
      <dd>${seen(client)} <small>(what the client calls itself)</small></dd>`;
  const body = markup`<h1>Connect <code>${seen(title)}</code>?</h1>
    <section class="card">
      <p>
        Sallyport will call this server in your name, for every client that you use here, until you or the operator end
        it. Your clients never see the token.
      </p>
      <dl class="facts">
        <dt>Server</dt>
        <dd><code>${seen(server)}</code> <small>(${seen(offer.resource)})</small></dd>
        <dt>You log in at</dt>
        <dd>${seen(offer.issuer)}</dd>
        <dt>It may then</dt>
        <dd>${scopesView(offer.scopes)}</dd>
        ${who}
      </dl>
    </section>
    <form method="post" action="/connect/${server}">
      <input type="hidden" name="token" value="${token}" />
      <input type="hidden" name="link" value="${link}" />
      <div class="decide">
        <button class="primary" name="verdict" value="connect">Connect</button>
        <button class="decline" name="verdict" value="cancel">Cancel</button>
      </div>
      <p class="hint">If you did not just ask for this, choose Cancel: nothing happens then.</p>
    </form>`;
  return { title: `Connect ${title}`, viewer, body };
}

const scopesView = (scopes: readonly string[]): Html =>
  scopes.length === 0
    ? markup`what its log-in page says`
    : markup`<ul class="chips">
        ${scopes.map((scope) => markup`<li class="chip"><code>${seen(scope)}</code></li>`)}
      </ul>`;

/** A form may lead to no other site, so the browser goes on from here by itself. */
export const onTheWay = (url: string, issuer: string, viewer: string): Page => ({
  title: 'On to the log-in',
  viewer,
  headers: ['Refresh', `0; url=${url}`],
  body: markup`<section class="card">
    <h1>On to the log-in</h1>
    <p><a class="button primary" href="${url}">Go on to ${seen(issuer)}</a></p>
  </section>`,
});

const again = (server: string): Html => markup`<p><a class="button" href="/connect/${server}">Start again</a></p>`;

export const connected = (title: string): Page =>
  message(
    200,
    'Connected',
    markup`<p>
      <code>${seen(title)}</code> can be called in your name now. You can close this page and go back to your client: a
      call that waits for this goes on by itself, any other has to be made again.
    </p>`,
  );

export const cancelled = (): Page =>
  message(200, 'Nothing was connected', markup`<p>You can close this page. Your client is told nothing.</p>`);

/** The same for a server that is not there and for one that is not for this person to know of. */
export const nothingToConnect = (): Page =>
  message(
    404,
    'There is nothing to connect here for you',
    markup`<p>
      There is no such server, it wants no consent of yours, or you may not use it. If your client sent you here, call
      again and open the new link.
    </p>`,
  );

const LINK_FAULTS = {
  expired: [
    'This link has expired',
    'Nothing was connected. Make the call again in your client, and open the new link.',
  ],
  used: ['This link was used already', 'A link is good for one log-in. If that one was not completed, start again.'],
  invalid: ['This link is not valid', 'It was cut short or changed. Make the call again in your client.'],
} as const;

export function linkRefused(fault: keyof typeof LINK_FAULTS, server: string): Page {
  const [title, text] = LINK_FAULTS[fault];
  return message(
    400,
    title,
    markup`<p>${text}</p>
    ${fault === 'used' ? again(server) : undefined}`,
  );
}

export const notYourLink = (viewer: string): Page => ({
  ...message(
    403,
    'This link is for somebody else',
    markup`<p>
      You are logged in as ${seen(viewer)}, and the link was made for another person. Nothing was connected. If somebody
      sent it to you, do not go on: they would act in your name. If it is yours, log out and log in as yourself.
    </p>`,
  ),
  viewer,
});

export const consentUnreachable = (server: string): Page =>
  message(
    503,
    'The log-in of the server cannot be reached',
    markup`<p>Its authorization server does not answer. Nothing was connected. Try again shortly.</p>
      ${again(server)}`,
  );

export const consentImpossible = (requestId: string): Page =>
  message(
    502,
    'This server cannot be connected',
    markup`<p>
      Its authorization server cannot be used as it is, so nothing was connected. Tell the operator: the log says why,
      under the request <code>${requestId}</code>.
    </p>`,
  );

export const consentRefused = (server: string): Page =>
  message(
    403,
    'You did not consent',
    markup`<p>The server's log-in says that it was not completed. Nothing was connected.</p>
      ${again(server)}`,
  );

export const consentInvalid = (): Page =>
  message(
    400,
    'This answer cannot be used',
    markup`<p>
      It was begun in another browser, by another person, came back twice, took longer than ten minutes, or comes from
      somewhere else than you were sent to. Nothing was connected. Make the call again in your client.
    </p>`,
  );
