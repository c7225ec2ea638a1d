/** What a person sees: log in, consent, and what went wrong. */

import type { Html } from '../../entrypoint/pages/html.ts';
import { html, renderPage } from './page.ts';

/** Who asks, and for what. All of it comes from the client, and is shown as such. */
export type AskedFor = {
  /** Paths of the forms begin with it. */
  readonly base: string;
  /** The name that the client gave itself. */
  readonly client: string;
  /** Where its document is, when that is how it is identified. */
  readonly clientUrl: string | undefined;
  readonly redirectUri: string;
  /** The endpoint of the gateway, where there is one. */
  readonly resource: string | undefined;
  readonly scopes: readonly string[];
};

export type LoginPage = {
  readonly asked: AskedFor;
  /** What was typed before. */
  readonly name: string;
  readonly problem: string | undefined;
};

export function loginPage({ asked, name, problem }: LoginPage): string {
  const invalid = problem === undefined ? undefined : html` aria-invalid="true" aria-describedby="problem"`;
  const [nameFocus, passwordFocus] = name === '' ? [html` autofocus`, undefined] : [undefined, html` autofocus`];
  return renderPage({
    title: 'Log in',
    body: html`<h1>Log in</h1>
      <p>to let <strong>${asked.client}</strong> ${purpose(asked)}.</p>
      ${problem === undefined ? undefined : html`<div class="wrong" id="problem" role="alert">${problem}</div>`}
      <form method="post" action="${asked.base}/login">
        <label for="name">Name</label>
        <input
          id="name"
          name="name"
          value="${name}"
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          required
          maxlength="64"
          ${invalid}${nameFocus}
        />
        <label for="password">Password</label>
        <input
          id="password"
          name="password"
          type="password"
          autocomplete="current-password"
          required
          maxlength="256"
          ${invalid}${passwordFocus}
        />
        <button class="wide">Log in</button>
      </form>`,
    foot: html`The names and passwords stand in the terminal that runs the demo.
      <form method="post" action="${asked.base}/abort"><button class="link">Cancel</button></form>`,
  });
}

/** Nothing has the focus: an Enter too many after the password is no consent. */
export function consentPage(asked: AskedFor, user: string): string {
  return renderPage({
    title: 'Allow access',
    body: html`<h1>Allow access?</h1>
      <p><strong>${asked.client}</strong> wants to ${purpose(asked)} as <strong>${user}</strong>.</p>
      <dl>
        ${asked.resource === undefined ? undefined : row('Where', address(asked.resource))}
        ${row('What', scopes(asked))}
        ${row('The answer goes to', html`${address(origin(asked.redirectUri))}${whoSaysSo(asked)}`)}
      </dl>
      <form method="post" action="${asked.base}/consent" class="buttons">
        <button name="answer" value="allow">Allow</button>
        <button name="answer" value="deny" class="second">Deny</button>
      </form>`,
    foot: html`Not ${user}?
      <form method="post" action="${asked.base}/switch"><button class="link">Log in as someone else</button></form>`,
  });
}

export function errorPage(problem: string, advice: string): string {
  return renderPage({
    title: 'That did not work',
    body: html`<h1>That did not work</h1>
      <div class="wrong" role="alert">${problem}</div>
      <p>${advice}</p>`,
  });
}

const purpose = ({ resource }: AskedFor): string =>
  resource === undefined ? 'know who you are' : 'call tools through this gateway';

const row = (term: string, description: Html): Html =>
  html`<div>
    <dt>${term}</dt>
    <dd>${description}</dd>
  </div>`;

/** An address that may break after each slash, and not just anywhere. */
const address = (url: string): Html =>
  html`<code>${url.split('/').map((part, index) => (index === 0 ? html`${part}` : html`/<wbr />${part}`))}</code>`;

/** Scopes that everybody knows, in words; others as they are written. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['mcp', 'Call tools, prompts and resources, with your rights'],
  ['openid', 'Know who you are'],
  ['profile', 'Know your name'],
  ['groups', 'Know your groups'],
  ['offline_access', 'Stay connected for 14 days'],
]);

function scopes({ scopes: asked }: AskedFor): Html {
  const items = asked.map((scope) => {
    const words = WORDS.get(scope);
    return words === undefined
      ? html`<li><code>${scope}</code></li>`
      : html`<li>
          ${words} <small>scope <code>${scope}</code></small>
        </li>`;
  });
  return html`<ul>
    ${items}
  </ul>`;
}

/** A name proves nothing; where the answer goes and whose document it is are what a person can judge. */
const whoSaysSo = ({ clientUrl }: AskedFor): Html =>
  clientUrl === undefined
    ? html`<small>The client chose its name itself.</small>`
    : html`<small>The client is described at ${clientUrl}</small>`;

function origin(uri: string): string {
  const url = URL.parse(uri);
  if (url === null) return uri;
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.origin : `${url.protocol}//${url.host}`;
}
