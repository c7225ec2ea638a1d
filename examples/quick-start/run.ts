/** One server, one key, one call: with the command line's client and with the official one. */

import assert from 'node:assert/strict';

import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

import { verifyFile } from '../../packages/gateway/src/audit/verify.ts';
import { runStory, say, textOf } from '../story.ts';

await runStory(import.meta.dirname, { alice: ['engineering'] }, async (story) => {
  const refused = await story.call('nobody', 'everything/echo', { message: 'hello' });
  assert(refused.kind === 'error' && refused.status === 401);
  say('Without a key: 401.');

  assert.deepEqual([...(await story.tools('alice', 'everything'))].toSorted(), ['echo', 'get-sum']);
  say('Alice sees the two tools that the policy names, not the thirteen that there are.');

  assert.match(textOf(await story.call('alice', 'everything/echo', { message: 'hello' })), /hello/);
  say('Her call is answered by the server behind the gateway.');

  const client = new Client({ name: 'quick-start', version: '1.0.0' });
  const headers = { Authorization: `Bearer ${story.keys['alice']}` };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${story.url}/mcp`), { requestInit: { headers } }));
  const result = await client.callTool({ name: 'everything_get-sum', arguments: { a: 2, b: 3 } });
  assert.match(JSON.stringify(result), /5/);
  await client.close();
  say('So is that of the official client, on the endpoint for all servers.');

  const verification = await verifyFile(story.auditFile);
  assert(verification.ok);
  say('The record of it all is intact.');
});
