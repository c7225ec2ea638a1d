/** What the caller may not see is answered exactly as what does not exist: the same bytes, in every revision. */

import { describe, expect, it } from 'vitest';

import { authorizerFor } from '../authz/authorizer-fixture.ts';
import { catalogOf, item, registered, toolItem } from '../catalog/catalog-fixture.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { Operation } from '../model/operation.ts';
import type { InboundRequest } from '../model/request.ts';
import type { Revision } from '../model/revision.ts';
import type { Endpoint } from '../model/target.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import { seals, textOf } from '../protocol/fixtures.ts';
import { AGGREGATE, callTool, constant, FILES, worldOf } from './pipeline.fixture.ts';

const VAULT: Endpoint = { kind: 'server', server: 'vault' };

/** Alice sees `read_note` and the prompt, the resource and the template of that name, and nothing else. */
const POLICY = 'permit (principal, action, resource) when { resource.name like "*note*" };';

const shown = {
  tools: [toolItem('read_note')],
  prompts: [item({ name: 'note_prompt' })],
  resources: [item({ name: 'n', uri: 'note://1' })],
  templates: [item({ name: 't', uriTemplate: 'note://{id}' })],
};

const secret = {
  tools: [toolItem('secret', { inputSchema: { type: 'object', required: ['pin'] } }), toolItem('read_nite')],
  prompts: [item({ name: 'secret' })],
  resources: [item({ name: 's', uri: 'secret://1' })],
  templates: [item({ name: 'st', uriTemplate: 'secret://x/{id}' })],
};

/** The same without what is hidden: on the same server, and as a server of its own. */
const without: Catalog = catalogOf(registered('files', shown));
const withHidden: Catalog = catalogOf(
  registered('files', {
    tools: [...shown.tools, ...secret.tools],
    prompts: [...shown.prompts, ...secret.prompts],
    resources: [...shown.resources, ...secret.resources],
    templates: [...shown.templates, ...secret.templates],
  }),
  registered('vault', secret),
);

const prompt = (name: string): Operation => ({ kind: 'get-prompt', name, arguments: {} });
const read = (uri: string): Operation => ({ kind: 'read-resource', uri });
const complete = (ref: Extract<Operation, { kind: 'complete-argument' }>['ref']): Operation => ({
  kind: 'complete-argument',
  ref,
  argument: { name: 'a', value: '' },
});
const extension = (method: string): Operation => ({ kind: 'extension', method, params: {} });

type Row = readonly [what: string, endpoint: Endpoint, operation: Operation, code: string];

const ROWS: readonly Row[] = [
  ['a tool', FILES, callTool('secret'), 'unknown-tool'],
  ['a tool whose name is near one that is shown', FILES, callTool('read_nite'), 'unknown-tool'],
  ['a name near a hidden tool', FILES, callTool('secre'), 'unknown-tool'],
  ['a prompt', FILES, prompt('secret'), 'unknown-prompt'],
  ['a name near a hidden prompt', FILES, prompt('secre'), 'unknown-prompt'],
  ['a listed resource', FILES, read('secret://1'), 'unknown-resource'],
  ['a resource of a hidden template', FILES, read('secret://x/1'), 'unknown-resource'],
  ['a resource that nothing names', FILES, read('secret://2'), 'unknown-resource'],
  ['a completion for a prompt', FILES, complete({ kind: 'prompt', name: 'secret' }), 'unknown-prompt'],
  ['a completion for a template', FILES, complete({ kind: 'template', uri: 'secret://x/{id}' }), 'unknown-resource'],
  ['a tool, by its aggregate name', AGGREGATE, callTool('files_secret'), 'unknown-tool'],
  ['a tool of a hidden server', AGGREGATE, callTool('vault_secret'), 'unknown-tool'],
  ['a name near a tool of a hidden server', AGGREGATE, callTool('vault_secre'), 'unknown-tool'],
  ['a tool, near one that is shown', AGGREGATE, callTool('files_read_nite'), 'unknown-tool'],
  ['a prompt of a hidden server', AGGREGATE, prompt('vault_secret'), 'unknown-prompt'],
  ['a resource of two hidden owners', AGGREGATE, read('secret://1'), 'unknown-resource'],
  ['a resource of a hidden template', AGGREGATE, read('secret://x/1'), 'unknown-resource'],
  ['a completion of a hidden server', AGGREGATE, complete({ kind: 'prompt', name: 'vault_secret' }), 'unknown-prompt'],
  [
    'a completion for a template of two hidden owners',
    AGGREGATE,
    complete({ kind: 'template', uri: 'secret://x/{id}' }),
    'unknown-resource',
  ],
  ['a method', AGGREGATE, extension('vault/open'), 'method-not-found'],
  ['a server, by a tool', VAULT, callTool('secret'), 'unknown-server'],
  ['a server, by a prompt', VAULT, prompt('secret'), 'unknown-server'],
  ['a server, by a resource', VAULT, read('secret://1'), 'unknown-server'],
  ['a server, by a completion', VAULT, complete({ kind: 'prompt', name: 'secret' }), 'unknown-server'],
  ['a server, by its tools', VAULT, { kind: 'list', of: 'tools' }, 'unknown-server'],
  ['a server, by discovery', VAULT, { kind: 'discover' }, 'unknown-server'],
  ['a server, by a ping', VAULT, { kind: 'ping' }, 'unknown-server'],
  ['a server, by a subscription', VAULT, { kind: 'listen', filter: {} }, 'unknown-server'],
  ['a server, by the end of a session', VAULT, { kind: 'end-session' }, 'unknown-server'],
  ['a server, by a notification', VAULT, { kind: 'notify', method: 'notifications/x', params: {} }, 'unknown-server'],
];

const REVISIONS: readonly Revision[] = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'];

describe('what is hidden', () => {
  it.each(ROWS)('%s on %o: the same bytes as if it did not exist', async (_, endpoint, operation, code) => {
    for (const revision of REVISIONS) {
      const [hidden, absent] = [
        await answerOf(withHidden, { endpoint, operation, revision }),
        await answerOf(without, { endpoint, operation, revision }),
      ];
      expect(absent.code).toBe(code);
      expect(hidden.wire).toEqual(absent.wire);
    }
  });

  it('costs the caller the same: neither takes from a limit, neither reaches the schema or the server', async () => {
    for (const [, endpoint, operation] of ROWS) {
      const { steps } = await answerOf(withHidden, { endpoint, operation, revision: '2026-07-28' });
      for (const step of ['consume', 'validate', 'intend', 'send'] as const) expect(steps).not.toContain(step);
    }
  });

  it('is in the record all the same, with the policy’s answer', async () => {
    const world = worldOf({ catalog: constant(withHidden), authorizer: constant(authorizerFor(POLICY)) });
    await world.handle(callTool('secret'));
    expect(world.events).toMatchObject([
      { entry: { name: 'secret' }, decision: { effect: 'deny' }, failure: { code: 'unknown-tool' } },
    ]);
  });

  it('is not suggested, and what is shown is', async () => {
    const { wire } = await answerOf(withHidden, {
      endpoint: FILES,
      operation: callTool('read_not'),
      revision: '2026-07-28',
    });
    expect(wire.body).toContain('read_note');
    expect(wire.body).not.toContain('nite');
  });

  it('lets a call through to the one of two owners that is the caller’s', async () => {
    const both = catalogOf(registered('vault', secret), registered('files', { resources: secret.resources }));
    const policy = 'permit (principal, action, resource in Server::"files");';
    const world = worldOf({ catalog: constant(both), authorizer: constant(authorizerFor(policy)) });
    await world.handle(read('secret://1'), { endpoint: AGGREGATE });
    expect(world.calls).toMatchObject([{ entry: { server: { id: 'files' } } }]);
  });
});

type Asked = { readonly endpoint: Endpoint; readonly operation: Operation; readonly revision: Revision };

async function answerOf(catalog: Catalog, { endpoint, operation, revision }: Asked) {
  const world = worldOf({ catalog: constant(catalog), authorizer: constant(authorizerFor(POLICY)) });
  const codec = serverCodecFor(revision);
  const client: InboundRequest['client'] = { era: codec.era, revision, capabilities: {}, address: '127.0.0.1' };
  const { outcome, entry } = await world.handle(operation, { endpoint, client });
  const { body, ...head } = await codec.encode(outcome, {
    id: 1,
    operation,
    requestId: 'request-1',
    ...(entry === undefined ? {} : { entry }),
    aggregate: endpoint.kind === 'aggregate',
    seals,
    maxProjectedBytes: 1_000_000,
  });
  const code = outcome.kind === 'failed' ? outcome.failure.code : outcome.kind;
  return { code, steps: world.steps, wire: { ...head, body: await textOf(body) } };
}
