/** The official SDKs' clients change their mind: the gateway stops, the server is told, and the record says so. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { until } from './harness/until.ts';
import { CLIENT_KINDS, connectClient } from './matrix/clients.ts';

let upstream: MisbehavingServer;
let gateway: TestGateway;

beforeAll(async () => {
  upstream = await startMisbehavingServer();
  gateway = await startTestGateway({
    yaml: `servers: { one: { url: "${upstream.url}", allow: [{ anyone: true, tools: ["*"] }] } }`,
  });
});

afterAll(async () => {
  await gateway?.close();
  await upstream?.close();
});

describe.each(CLIENT_KINDS)('a client of %s that aborts', (kind) => {
  it('ends its call at the gateway and at the server', async () => {
    const client = await connectClient(kind, `${gateway.url}/mcp`, gateway.keys['alice'] ?? '');
    const before = upstream.seen.length;
    const gone = new AbortController();
    const call = client.callTool({ name: 'one_hang', arguments: {} }, { signal: gone.signal });
    await until('the call to arrive', () => upstream.seen.slice(before).some(({ rpc }) => rpc.params?.name === 'hang'));
    const recorded = gateway.records().length;
    gone.abort();
    await expect(call).rejects.toThrow(/abort/i);
    await until('the record to say so', () =>
      gateway
        .records()
        .slice(recorded)
        .some(({ status_code: code }) => code === 'cancelled'),
    );
    await until('the server to be left', () => upstream.open() === 0);
    await client.close();
  });
});
