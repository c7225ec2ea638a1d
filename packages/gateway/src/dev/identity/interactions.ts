/**
 * The requests between "authorize" and "here is the code": the pages, and the forms on them. Each interaction has a path
 * of its own and a cookie that is sent to that path alone, and both must agree; a form from elsewhere has no cookie
 * (`SameSite`), and its `Origin` is not ours.
 */

import type { IncomingMessage, ServerResponse } from 'node:http';

import type Provider from 'oidc-provider';

import { pageHeaders } from './page.ts';
import { consentPage, errorPage, loginPage, type AskedFor } from './pages.ts';
import type { Users } from './users.ts';

type Interaction = Awaited<ReturnType<Provider['interactionDetails']>>;

type Visit = {
  readonly provider: Provider;
  readonly users: Users;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly interaction: Interaction;
  readonly asked: AskedFor;
};

const PATH = /^\/interaction\/([A-Za-z0-9_-]{1,64})(?:\/(login|consent|abort|switch))?$/;
const MAX_FORM_BYTES = 4096;
/** Of what a client calls itself: enough to recognise it, too little to write over the question. */
const MAX_NAME_LENGTH = 80;

export const isInteraction = (path: string): boolean => path.startsWith('/interaction/');

export type Interactions = (path: string, request: IncomingMessage, response: ServerResponse) => Promise<void>;

export function createInteractions(provider: Provider, users: Users): Interactions {
  return async (path, request, response) => {
    const [, uid, action] = PATH.exec(path) ?? [];
    const method = action === undefined ? 'GET' : 'POST';
    if (uid === undefined || request.method !== method) {
      return sendPage(response, 404, errorPage('There is no such page.', 'Begin again from the client.'));
    }
    if (method === 'POST' && !isSameOrigin(request, provider.issuer)) {
      return sendPage(
        response,
        403,
        errorPage('This form was sent from another site.', 'Begin again from the client.'),
      );
    }
    const interaction = await openInteraction(provider, request, response);
    if (interaction?.uid !== uid) {
      const advice = 'Begin again from the client: a log-in is open for 10 minutes, in the browser that began it.';
      return sendPage(response, 400, errorPage('This log-in is over, or began in another browser.', advice));
    }
    const asked = await askedFor(provider, interaction);
    const visit: Visit = { provider, users, request, response, interaction, asked };
    switch (action) {
      case undefined:
        return showPage(visit);
      case 'login':
        return logIn(visit);
      case 'consent':
        return consent(visit);
      case 'switch':
        return switchUser(visit);
      case 'abort':
        return deny(visit);
    }
  };
}

async function openInteraction(...[provider, request, response]: [Provider, IncomingMessage, ServerResponse]) {
  try {
    return await provider.interactionDetails(request, response);
  } catch {
    return undefined;
  }
}

async function askedFor(provider: Provider, { uid, params }: Interaction): Promise<AskedFor> {
  const clientId = text(params['client_id']);
  const client = await provider.Client.find(clientId);
  const scopes = text(params['scope']).split(' ');
  const resource = params['resource'];
  return {
    base: `/interaction/${uid}`,
    client: (client?.clientName ?? clientId).slice(0, MAX_NAME_LENGTH),
    clientUrl: URL.canParse(clientId) ? clientId : undefined,
    redirectUri: text(params['redirect_uri']),
    resource: typeof resource === 'string' ? resource : undefined,
    scopes: scopes.filter((scope, index) => scope !== '' && scopes.indexOf(scope) === index),
  };
}

async function showPage({ response, interaction, asked }: Visit): Promise<void> {
  const { prompt, session } = interaction;
  const page =
    prompt.name === 'consent' && session?.accountId !== undefined
      ? consentPage(asked, session.accountId)
      : loginPage({ asked, name: text(interaction.params['login_hint']).slice(0, 64), problem: undefined });
  sendPage(response, 200, page, asked.redirectUri);
}

async function logIn({ provider, users, request, response, asked }: Visit): Promise<void> {
  const form = await readForm(request);
  const name = form?.get('name') ?? '';
  const verdict = users.logIn(name, form?.get('password') ?? '');
  if (verdict.kind === 'welcome') {
    const login = { accountId: verdict.user.name, remember: false, amr: ['pwd'] };
    return provider.interactionFinished(request, response, { login }, { mergeWithLastSubmission: false });
  }
  const problem =
    verdict.kind === 'wrong'
      ? 'Name and password do not belong together. Try again.'
      : `Too many attempts. Wait ${verdict.seconds} s and try again.`;
  sendPage(response, verdict.kind === 'wrong' ? 422 : 429, loginPage({ asked, name, problem }), asked.redirectUri);
}

async function consent(visit: Visit): Promise<void> {
  const { provider, request, response, interaction } = visit;
  const form = await readForm(request);
  const accountId = interaction.session?.accountId;
  if (form?.get('answer') !== 'allow' || accountId === undefined) return deny(visit);
  const { missingOIDCScope, missingOIDCClaims, missingResourceScopes } = interaction.prompt.details;
  const clientId = text(interaction.params['client_id']);
  const known = interaction.grantId === undefined ? undefined : await provider.Grant.find(interaction.grantId);
  const grant = known ?? new provider.Grant({ accountId, clientId });
  if (Array.isArray(missingOIDCScope)) grant.addOIDCScope(missingOIDCScope.join(' '));
  if (Array.isArray(missingOIDCClaims)) grant.addOIDCClaims(missingOIDCClaims.filter(isText));
  for (const [resource, scopes] of Object.entries(missingResourceScopes ?? {})) {
    if (Array.isArray(scopes)) grant.addResourceScope(resource, scopes.join(' '));
  }
  const grantId = await grant.save();
  // Merged: a log-in that came just before is part of the same answer.
  await provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
}

/** The same question, from the start, and with a log-in whoever is logged in. */
async function switchUser({ response, interaction }: Visit): Promise<void> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(interaction.params)) {
    for (const one of Array.isArray(value) ? value : [value]) if (isText(one)) query.append(name, one);
  }
  query.set('prompt', 'login consent');
  response.writeHead(303, { location: `/auth?${query.toString()}`, 'content-length': '0' }).end();
}

async function deny({ provider, request, response }: Visit): Promise<void> {
  const result = { error: 'access_denied', error_description: 'The user said no.' };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

/** Browsers say where a form stood; a client without a browser says nothing, and has no cookie to misuse. */
function isSameOrigin({ headers }: IncomingMessage, issuer: string): boolean {
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') return false;
  return headers.origin === undefined || headers.origin === issuer;
}

/** Undefined when it is no form, or too long for one of ours. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams | undefined> {
  if (request.headers['content-type']?.split(';')[0]?.trim() !== 'application/x-www-form-urlencoded') return undefined;
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of request) {
    if (!Buffer.isBuffer(piece)) continue;
    bytes += piece.length;
    if (bytes > MAX_FORM_BYTES) return undefined;
    pieces.push(piece);
  }
  return new URLSearchParams(Buffer.concat(pieces).toString('utf8'));
}

function sendPage(...[response, status, page, redirectUri]: [ServerResponse, number, string, string?]): void {
  response.writeHead(status, pageHeaders(redirectUri)).end(page);
}

const isText = (value: unknown): value is string => typeof value === 'string';

const text = (value: unknown): string => (isText(value) ? value : '');
