/** A client that knows one URL: it finds out where to log in, a person does, and it calls with that person's rights. */

import assert from 'node:assert/strict';

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { startIdentityProvider } from '../../packages/gateway/src/dev/identity-provider.ts';
import { runStory, say } from '../story.ts';
import { StoryClient } from './client-provider.ts';
import { startListener } from './listener.ts';
import { openAndLogIn } from './person.ts';

let publicUrl: string | undefined;
const identity = await startIdentityProvider({ port: 0, publicUrl: () => publicUrl });
const listener = await startListener('A story');
try {
  const told = async ({ url }: { readonly url: string }): Promise<void> => {
    publicUrl = url;
    await tell(new URL(`${url}/mcp`));
  };
  await runStory(import.meta.dirname, {}, told, { issuer: identity.issuer });
} finally {
  await Promise.all([identity.close(), listener.close()]);
}

async function tell(endpoint: URL): Promise<void> {
  const registered = new StoryClient({ name: 'A story', redirectUrl: listener.redirectUrl });
  const alice = await logIn(endpoint, 'alice', registered);
  say(`The client knew ${endpoint.href}, and found ${identity.issuer} by itself.`);
  const asked = registered.authorizationUrl?.searchParams;
  assert.equal(asked?.get('code_challenge_method'), 'S256');
  assert.equal(asked?.get('resource'), endpoint.href);
  const id = registered.clientInformation()?.client_id ?? '';
  assert.match(id, /^[\w-]{20,}$/);
  say('It registered, and asked with PKCE for a token that is good at this endpoint only.');

  const alices = await namesOf(alice);
  assert(alices.length > 10);
  const sum = await alice.callTool({ name: 'everything_get-sum', arguments: { a: 2, b: 3 } });
  assert.match(JSON.stringify(sum.content), /5/);
  say(`Alice logged in, sees ${alices.length} tools, and adds 2 and 3.`);

  const documented = new StoryClient({
    name: 'A story',
    redirectUrl: listener.redirectUrl,
    documentUrl: listener.documentUrl,
  });
  const bob = await logIn(endpoint, 'bob', documented);
  assert.equal(documented.authorizationUrl?.searchParams.get('client_id'), listener.documentUrl);
  assert.deepEqual(await namesOf(bob), ['everything_echo']);
  say('Bob used a client that is known by the address of its document, and sees one tool.');

  const before = documented.tokens();
  assert(before !== undefined);
  documented.saveTokens({ ...before, access_token: 'no good any more' });
  const again = connect(endpoint, documented);
  await again.client.connect(again.transport);
  assert.deepEqual(await namesOf(again.client), ['everything_echo']);
  assert.notEqual(documented.tokens()?.refresh_token, before.refresh_token);
  say('When his token was no good any more, the client got a new one without asking him.');

  await Promise.all([alice.close(), bob.close(), again.client.close()]);
}

function connect(endpoint: URL, application: StoryClient) {
  const client = new Client({ name: 'story', version: '1.0.0' });
  return { client, transport: new StreamableHTTPClientTransport(endpoint, { authProvider: application }) };
}

/** What an application does: try, send a person to log in, await the answer, try again. */
async function logIn(endpoint: URL, name: string, application: StoryClient): Promise<Client> {
  const first = connect(endpoint, application);
  await assert.rejects(first.client.connect(first.transport), { name: 'UnauthorizedError' });
  assert(application.authorizationUrl !== undefined);
  const answered = listener.arrived();
  // The browser of the person ends up at the listener, as a real one would.
  await fetch(await openAndLogIn(application.authorizationUrl, { name, password: name }));
  await first.transport.finishAuth(application.answerIn(await answered));
  const second = connect(endpoint, application);
  await second.client.connect(second.transport);
  return second.client;
}

async function namesOf(client: Client): Promise<readonly string[]> {
  return (await client.listTools()).tools.map((tool) => tool.name);
}
