/** Pages that only say something: what happened, and what to do next. */

import type { DecisionFault } from '../../authz/approvals.ts';
import { markup, seen, type Html } from './html.ts';
import type { Page } from './layout.ts';

export const message = (status: number, title: string, body: Html): Page => ({
  status,
  title,
  body: markup`<section class="card">
    <h1>${title}</h1>
    ${body}
  </section>`,
});

const logInAgain = (returnTo: string, label: string): Html =>
  markup`<p><a class="button primary" href="${loginPath(returnTo)}">${label}</a></p>`;

export const loginPath = (returnTo: string, issuer?: number): string =>
  `/login?return=${encodeURIComponent(returnTo)}${issuer === undefined ? '' : `&issuer=${issuer}`}`;

/** The same for what never existed and for what is somebody else's. */
export const noSuchApproval = (): Page =>
  message(
    404,
    'There is no such approval for you',
    markup`<p>
        It does not exist, it is gone, or it is not for you to see. If somebody sent you this address, ask them who has
        to approve.
      </p>
      <p><a href="/approvals">What waits for my word</a></p>`,
  );

/** @param what What a log-in is needed for. @param otherwise What can be done until there is one. */
const nobodyCanLogIn = (what: string, otherwise: string): Page =>
  message(
    503,
    'Nobody can log in here yet',
    markup`<p>
        ${what} after a log-in with the identity provider, and none is set up for it. The operator adds a
        <code>login</code> to an issuer in <code>sallyport.yaml</code>:
      </p>
      <pre class="setting">
identity:
  issuers:
    - issuer: https://id.example.com
      login:
        clientId: sallyport
        clientSecret: env:SALLYPORT_CLIENT_SECRET</pre>
      <p>
        Its redirect URI at the identity provider is <code>&lt;publicUrl&gt;/login/callback</code>.
        ${otherwise}
      </p>`,
  );

export const noLogin = (): Page =>
  nobodyCanLogIn(
    'Approvals are decided',
    'Until then, approvals can be decided over the API, except those of high risk.',
  );

export const noBrowserLogin = (): Page => nobodyCanLogIn('A server is connected', '');

export const providerDown = (returnTo: string): Page =>
  message(
    503,
    'The identity provider cannot be reached',
    markup`<p>Nobody can log in at the moment, and nothing was decided. Approvals keep waiting until they expire.</p>
      ${logInAgain(returnTo, 'Try again')}`,
  );

export const approvalsDown = (): Page =>
  message(
    503,
    'Approvals cannot be read at the moment',
    markup`<p>
        Their store does not answer. Nothing was decided, and no call that needs an approval is made meanwhile. Try
        again shortly.
      </p>
      <p><a href="/approvals">Try again</a></p>`,
  );

export const loginDenied = (returnTo: string): Page =>
  message(
    403,
    'You did not log in',
    markup`<p>The identity provider says that the log-in was not completed.</p>
      ${logInAgain(returnTo, 'Log in')}`,
  );

/** Also for a log-in that somebody else began: which of these it was is told to nobody. */
export const loginInvalid = (returnTo: string): Page =>
  message(
    400,
    'This log-in cannot be used',
    markup`<p>It was begun in another browser, came back twice, or took longer than ten minutes.</p>
      ${logInAgain(returnTo, 'Log in')}`,
  );

export const sessionTooLarge = (): Page =>
  message(
    400,
    'Too much is known about you',
    markup`<p>
      Your groups do not fit into a cookie. Ask the operator to let <code>groupsClaim</code> name a claim with fewer of
      them, or the identity provider to send only those that matter here.
    </p>`,
  );

export const sessionEnded = (returnTo: string): Page =>
  message(
    401,
    'Your log-in has ended',
    markup`<p>Nothing was decided. Log in again, and the page shows what you were asked.</p>
      ${logInAgain(returnTo, 'Log in')}`,
  );

export const notFromHere = (): Page =>
  message(
    403,
    'This did not come from the page',
    markup`<p>Nothing was decided. Open the approval again and decide there.</p>
      <p><a href="/approvals">What waits for my word</a></p>`,
  );

export const loggedOut = (): Page =>
  message(
    200,
    'You are logged out',
    markup`<p>This browser can decide nothing any more. You may still be logged in at the identity provider.</p>
      <p><a class="button" href="/approvals">Log in again</a></p>`,
  );

export const refused = (status: number, detail: string): Page =>
  message(
    status,
    'That is not possible',
    markup`<p>${detail}</p>
      <p><a href="/approvals">What waits for my word</a></p>`,
  );

const FAULTS: Readonly<Record<Exclude<DecisionFault, 'unknown'>, readonly [string, string]>> = {
  expired: [
    'It has expired',
    'Nothing was decided. If the call is still wanted, it has to be made again; it asks for a new approval.',
  ],
  'already-decided': ['It was decided already', 'Your answer changed nothing.'],
  'own-request': ['You asked for this yourself', 'Somebody else has to approve it. Nothing was decided.'],
  'not-asked': ['Your word is not asked for', 'What is still open waits for somebody else. Nothing was decided.'],
  'needs-browser': [
    'Log in with the browser',
    'A call of high risk is decided after a log-in in the browser. Nothing was decided.',
  ],
};

export function decisionRefused(fault: Exclude<DecisionFault, 'unknown'>, id: string): Page {
  const [title, text] = FAULTS[fault];
  return message(
    409,
    title,
    markup`<p>${text}</p>
      <p><a class="button" href="/approvals/${id}">See the approval</a></p>`,
  );
}

export const chooseIssuer = (issuers: readonly string[], returnTo: string): Page => ({
  title: 'Log in',
  body: markup`<h1>Where do you log in?</h1>
    <ul class="list">
      ${issuers.map(
        (issuer, index) =>
          markup`<li>
            <a href="${loginPath(returnTo, index)}"><span class="what">${seen(issuer)}</span></a>
          </li>`,
      )}
    </ul>`,
});
