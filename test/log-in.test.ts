/** The official SDK's clients log in at the built-in identity provider and call through the gateway, all by themselves. */

import { isDeepStrictEqual } from 'node:util';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { StoryClient } from '../examples/oauth-login/client-provider.ts';
import { startListener, type Listener } from '../examples/oauth-login/listener.ts';
import { openAndLogIn } from '../examples/oauth-login/person.ts';
import type { AuditRecord } from './harness/config-file.ts';
import { bearer, modern, send } from './harness/http.ts';
import { connect, connectByLogIn, startLogInSite, type ConnectedClient, type LogInSite } from './harness/log-in.ts';
import { until } from './harness/until.ts';
import { CLIENT_KINDS, type ClientKind } from './matrix/clients.ts';

let site: LogInSite;
let listener: Listener;

beforeAll(async () => {
  [site, listener] = await Promise.all([startLogInSite(), startListener('Documented client')]);
});

afterAll(async () => {
  await Promise.all([site?.close(), listener?.close()]);
});

const endpoint = (): string => `${site.gateway.url}/mcp`;
const person = (name: string) => ({ name, password: name });

const application = (): StoryClient =>
  new StoryClient({ name: 'Registered client', redirectUrl: 'http://127.0.0.1:43210/callback' });

const documented = (): StoryClient =>
  new StoryClient({
    name: 'Documented client',
    redirectUrl: listener.redirectUrl,
    documentUrl: listener.documentUrl,
  });

const names = async (client: ConnectedClient): Promise<readonly string[]> =>
  (await client.listTools()).tools.map((tool) => tool.name);

const logIn = (name: string, as: StoryClient, kind: ClientKind = 'sdk-v2-modern', url = endpoint()) =>
  connectByLogIn({ kind, endpoint: url, person: person(name), application: as });

describe.each(CLIENT_KINDS)('a client of %s', (kind) => {
  it('registers, lets a person log in, and sees and calls what that person may', async () => {
    const [alices, bobs] = [application(), application()];
    const alice = await logIn('alice', alices, kind);
    const bob = await logIn('bob', bobs, kind);
    const asked = alices.authorizationUrl?.searchParams;
    expect(asked?.get('code_challenge_method')).toBe('S256');
    expect(asked?.get('resource')).toBe(endpoint());
    expect(await names(bob)).toEqual(['plain_ok']);
    expect((await names(alice)).length).toBeGreaterThan(2);
    const result = await bob.callTool({ name: 'plain_ok', arguments: { text: 'hello' } });
    expect(result.content).toEqual([{ type: 'text', text: 'fine' }]);
    await expect(bob.callTool({ name: 'other_ok', arguments: { text: 'hello' } })).rejects.toThrow('Unknown tool');
    await Promise.all([alice.close(), bob.close()]);
  });

  it('is known by the address of its document as well', async () => {
    const as = documented();
    const client = await logIn('alice', as, kind);
    expect(as.authorizationUrl?.searchParams.get('client_id')).toBe(listener.documentUrl);
    expect(await names(client)).toContain('plain_ok');
    await client.close();
  });

  it('goes on with a refresh token when its access token is no good any more', async () => {
    const as = application();
    await (await logIn('bob', as, kind)).close();
    const before = as.tokens();
    if (before === undefined) throw new Error('there are no tokens');
    as.saveTokens({ ...before, access_token: `${before.access_token.slice(0, -8)}AAAAAAAA` });
    const client = await connect(kind, endpoint(), as);
    expect(await names(client)).toEqual(['plain_ok']);
    expect(as.tokens()?.refresh_token).not.toBe(before.refresh_token);
    await client.close();
  });
});

describe('a token', () => {
  const list = (url: string, token: string) => {
    const request = modern('tools/list');
    return send(url, { ...request, headers: { ...request.headers, ...bearer(token) } });
  };

  it('is good at the endpoint it was made for and at no other', async () => {
    const as = application();
    const other = `${site.gateway.url}/servers/other/mcp`;
    const client = await logIn('alice', as, 'sdk-v2-modern', `${site.gateway.url}/servers/plain/mcp`);
    await client.close();
    const token = as.tokens()?.access_token ?? '';
    expect((await list(`${site.gateway.url}/servers/plain/mcp`, token)).status).toBe(200);
    const refused = await list(other, token);
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toContain('error="invalid_token"');
    expect(refused.headers['www-authenticate']).toContain('/.well-known/oauth-protected-resource/servers/other/mcp');
  });

  it('says who and in which groups, and the record has it', async () => {
    const as = application();
    const client = await logIn('bob', as);
    await client.listTools();
    await client.close();
    const [, claims = ''] = as.tokens()?.access_token.split('.') ?? [];
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString('utf8'))).toMatchObject({
      iss: site.identity.issuer,
      aud: endpoint(),
      sub: 'bob',
      preferred_username: 'bob',
      groups: ['support'],
      scope: 'mcp',
      client_id: as.clientInformation()?.client_id,
    });
    const ofThisClient = (record: AuditRecord): boolean =>
      isDeepStrictEqual(record['ai_agent'], { uid: as.clientInformation()?.client_id, type_id: 0 });
    // The record is written in batches, a moment behind the answer.
    await until('the call is recorded', () => site.gateway.records().filter(ofThisClient).length > 1);
    expect(site.gateway.records().findLast(ofThisClient)).toMatchObject({
      actor: { user: { uid: 'bob', groups: [{ name: 'support' }] }, idp: { uid: site.identity.issuer } },
    });
  });

  it('is refused when a refresh token was used twice: somebody else may have it', async () => {
    const as = application();
    await (await logIn('bob', as)).close();
    const refresh = () =>
      fetch(`${site.identity.issuer}/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          refresh_token: as.tokens()?.refresh_token ?? '',
          client_id: as.clientInformation()?.client_id ?? '',
        }),
      });
    const first = await refresh();
    const { refresh_token: second } = (await first.json()) as { refresh_token: string };
    expect(first.status).toBe(200);
    expect((await refresh()).status).toBe(400);
    const tokens = as.tokens();
    if (tokens !== undefined) as.saveTokens({ ...tokens, refresh_token: second });
    expect((await refresh()).status, 'the rotated one ended with it').toBe(400);
  });
});

it('A person who says no sends the client away with access_denied', async () => {
  const as = application();
  await connect('sdk-v2-modern', endpoint(), as).catch(() => undefined);
  if (as.authorizationUrl === undefined) throw new Error('nobody was asked');
  const arrived = await openAndLogIn(as.authorizationUrl, { ...person('alice'), answer: 'deny' });
  expect(as.answerIn(arrived).get('error')).toBe('access_denied');
  expect(arrived.searchParams.get('iss')).toBe(site.identity.issuer);
});
