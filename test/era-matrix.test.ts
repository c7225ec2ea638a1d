/**
 * Every requirement in every cell: client (official SDK v1, the same over HTTP+SSE, v2 legacy, v2 modern) x upstream era x upstream transport x
 * endpoint kind.
 */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startChildServer, scriptPath, type ChildServer } from './harness/child.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { ALL_CLIENT_KINDS, connectClient, eraOf, type AnyClientKind, type MatrixClient } from './matrix/clients.ts';
import { REQUIREMENTS } from './matrix/requirements.ts';

const UPSTREAMS = ['legacy-http', 'legacy-sse', 'legacy-stdio', 'modern-http', 'modern-stdio'] as const;

let gateway: TestGateway;
const children: ChildServer[] = [];

beforeAll(async () => {
  const legacy = await startChildServer('matrix/legacy-upstream.ts', 'http');
  const modern = await startChildServer('matrix/modern-upstream.ts', 'http');
  const sse = await startChildServer('matrix/legacy-upstream.ts', 'sse');
  children.push(legacy, modern, sse);
  const allow = 'allow: [{ anyone: true, tools: ["*"], prompts: ["*"], resources: ["*"] }]';
  const stdio = (script: string): string => `command: ["${process.execPath}", "${scriptPath(script)}", stdio]`;
  gateway = await startTestGateway({
    // All offer the same URIs on the aggregate endpoint; each user sees the one server that is theirs.
    users: Object.fromEntries(UPSTREAMS.map((id) => [id, [id]])),
    yaml: [
      'endpoints: { legacySse: true }',
      'servers:',
      `  legacy-http: { url: "${legacy.url}", ${allow.replace('anyone: true', 'group: legacy-http')} }`,
      `  legacy-sse: { url: "${sse.url}", ${allow.replace('anyone: true', 'group: legacy-sse')} }`,
      `  legacy-stdio: { ${stdio('matrix/legacy-upstream.ts')}, ${allow.replace('anyone: true', 'group: legacy-stdio')} }`,
      `  modern-http: { url: "${modern.url}", ${allow.replace('anyone: true', 'group: modern-http')} }`,
      `  modern-stdio: { ${stdio('matrix/modern-upstream.ts')}, ${allow.replace('anyone: true', 'group: modern-stdio')} }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all(children.map((child) => child.close()));
});

for (const upstream of UPSTREAMS) {
  for (const kind of ALL_CLIENT_KINDS) {
    describe(`${kind} client to ${upstream} server`, () => {
      describeEndpoint(upstream, kind, false);
      describeEndpoint(upstream, kind, true);
    });
  }
}

function describeEndpoint(upstream: string, kind: AnyClientKind, aggregate: boolean): void {
  const path = aggregate ? '/mcp' : `/servers/${upstream}/mcp`;
  describe(path, () => {
    let client: MatrixClient;
    beforeAll(async () => {
      client = await connectClient(kind, `${gateway.url}${path}`, gateway.keys[upstream] ?? '');
    });
    afterAll(() => client?.close());

    const clientEra = eraOf(kind);
    const name = (upstreamName: string): string => (aggregate ? `${upstream}_${upstreamName}` : upstreamName);
    for (const requirement of REQUIREMENTS) {
      if (requirement.only?.({ clientEra, aggregate }) === false) continue;
      test(`${requirement.title} [${requirement.cites}]`, async () => {
        await requirement.check({ client, kind, clientEra, aggregate, name });
      });
    }
  });
}

test('every requirement cites the specification', () => {
  for (const requirement of REQUIREMENTS) expect(requirement.cites).not.toBe('');
});
