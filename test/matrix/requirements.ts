/**
 * What must be true in every cell of the era matrix, as data: each requirement cites the page of the specification it
 * comes from, and runs against every client, upstream, transport and endpoint kind.
 */

import { expect } from 'vitest';

import { until } from '../harness/until.ts';
import type { AnyClientKind, MatrixClient } from './clients.ts';
import * as offer from './offer.ts';

export type Cell = {
  readonly client: MatrixClient;
  readonly kind: AnyClientKind;
  readonly clientEra: 'legacy' | 'modern';
  /** The aggregate endpoint's name for a tool or prompt of the upstream. */
  readonly name: (upstreamName: string) => string;
  readonly aggregate: boolean;
};

export type Requirement = {
  readonly title: string;
  readonly cites: string;
  /** Where the protocol itself has no such thing. */
  readonly only?: (cell: Pick<Cell, 'clientEra' | 'aggregate'>) => boolean;
  /** Why not everywhere: a sentence for docs/compatibility.md. */
  readonly because?: string;
  readonly check: (cell: Cell) => Promise<void>;
};

type TextContent = { readonly content: readonly { readonly type: string; readonly text?: string }[] };
const firstText = (result: unknown): string | undefined => (result as TextContent).content[0]?.text;

async function errorOf(promise: Promise<unknown>): Promise<{ code: number; message: string; data?: unknown }> {
  try {
    await promise;
  } catch (error) {
    return error as { code: number; message: string; data?: unknown };
  }
  throw new Error('expected an error');
}

export const REQUIREMENTS: readonly Requirement[] = [
  {
    title: "discovery tells the server's name, capabilities and instructions",
    cites: 'basic/lifecycle, server/discover',
    only: ({ aggregate }) => !aggregate,
    because: '`/mcp` speaks for all servers, and so for itself.',
    async check({ client }) {
      expect(client.getServerVersion()?.name).toMatch(/^matrix-(legacy|modern)$/u);
      expect(client.getInstructions()).toBe(offer.INSTRUCTIONS);
      expect(Object.keys(client.getServerCapabilities() ?? {})).toEqual(
        expect.arrayContaining(['tools', 'resources', 'prompts', 'completions', 'logging']),
      );
    },
  },
  {
    title: 'the list has every tool of every upstream page, in order, with what we do not know of',
    cites: 'server/tools, server/utilities/pagination',
    async check({ client, name }) {
      const { tools } = await client.listTools();
      expect(tools.map((tool) => tool.name)).toEqual(offer.TOOLS.map((tool) => name(tool.name)));
      expect(tools[0]?._meta).toEqual({ 'example.com/colour': 'green' });
      expect(tools[1]?.inputSchema).toEqual(offer.TOOLS[1]?.inputSchema);
    },
  },
  {
    title: 'a tool call returns its content',
    cites: 'server/tools',
    async check({ client, name }) {
      const result = await client.callTool({ name: name('echo'), arguments: { text: 'hello, wörld\n' } });
      expect(firstText(result)).toBe('hello, wörld\n');
    },
  },
  {
    title: 'structured content passes and matches the output schema',
    cites: 'server/tools, structured content',
    async check({ client, name }) {
      const result = await client.callTool({ name: name('sum'), arguments: { a: 1.5, b: 2 } });
      expect(result.structuredContent).toEqual({ total: 3.5 });
    },
  },
  {
    title: 'content other than text passes',
    cites: 'server/tools, image content',
    async check({ client, name }) {
      const result = await client.callTool({ name: name('picture'), arguments: {} });
      expect(result.content).toEqual([expect.objectContaining({ type: 'image', mimeType: 'image/png' })]);
    },
  },
  {
    title: 'a tool that ran and failed is a result, not an error',
    cites: 'server/tools, error handling',
    async check({ client, name }) {
      const result = await client.callTool({ name: name('fail'), arguments: {} });
      expect(result.isError).toBe(true);
      expect(firstText(result)).toBe('It did not work.');
    },
  },
  {
    title: "a server's own protocol error keeps code, message and data",
    cites: 'basic, responses',
    async check({ client, name }) {
      const error = await errorOf(client.callTool({ name: name('reject'), arguments: {} }));
      expect(error.code).toBe(4242);
      expect(error.message).toContain('The server said no.');
      expect(error.data).toMatchObject({ because: 'it can' });
    },
  },
  {
    title: 'an unknown tool is an error that names it and suggests the nearest',
    cites: 'server/tools, error handling',
    async check({ client, name }) {
      const error = await errorOf(client.callTool({ name: name('ehco'), arguments: {} }));
      expect(error.code).toBe(-32_602);
      expect(error.message).toContain(name('ehco'));
      expect(error.message).toContain(`Did you mean "${name('echo')}"?`);
    },
  },
  {
    title: 'arguments that break the schema are answered with the field, and never reach the server',
    cites: 'server/tools, input validation (2025-11-25: a tool execution error)',
    async check({ client, name }) {
      const result = await client.callTool({ name: name('echo'), arguments: { txt: 'x' } });
      expect(result.isError).toBe(true);
      expect(firstText(result)).toMatch(/text.*required/iu);
    },
  },
  {
    title: 'resources and templates are listed and read',
    cites: 'server/resources',
    async check({ client }) {
      const { resources } = await client.listResources();
      expect(resources.map((resource) => resource.uri)).toEqual(offer.RESOURCES.map((resource) => resource.uri));
      const { resourceTemplates } = await client.listResourceTemplates();
      expect(resourceTemplates.map((template) => template.uriTemplate)).toEqual(['note://by-id/{id}']);
      const read = await client.readResource({ uri: 'note://welcome' });
      expect(read.contents).toEqual([{ uri: 'note://welcome', mimeType: 'text/plain', text: 'Welcome.' }]);
      const blob = await client.readResource({ uri: 'note://pixel' });
      expect(blob.contents[0]).toHaveProperty('blob');
      const templated = await client.readResource({ uri: 'note://by-id/7' });
      expect(templated.contents[0]).toMatchObject({ text: 'Note 7.' });
    },
  },
  {
    title: "an unknown resource has the era's own error, with the URI",
    cites: 'server/resources, error handling (SEP-2164)',
    async check({ client, clientEra, kind }) {
      const error = await errorOf(client.readResource({ uri: 'note://by-id/none' }));
      // SDK v2 tells its user -32602 whatever the era: what we sent to its legacy client is seen by the v1 client.
      const expected = clientEra === 'modern' || kind === 'sdk-v2-legacy' ? -32_602 : -32_002;
      expect(error.code).toBe(expected);
      expect(error.data).toMatchObject({ uri: 'note://by-id/none' });
    },
  },
  {
    title: 'prompts are listed and rendered with their arguments',
    cites: 'server/prompts',
    async check({ client, name }) {
      const { prompts } = await client.listPrompts();
      expect(prompts.map((prompt) => prompt.name)).toEqual([name('greet')]);
      const rendered = await client.getPrompt({ name: name('greet'), arguments: { name: 'Ada' } });
      expect(rendered.messages[0]?.content).toEqual({ type: 'text', text: 'Greet Ada.' });
    },
  },
  {
    title: 'an unknown prompt is an invalid-params error',
    cites: 'server/prompts, error handling',
    async check({ client, name }) {
      const error = await errorOf(client.getPrompt({ name: name('gret'), arguments: { name: 'Ada' } }));
      expect(error.code).toBe(-32_602);
    },
  },
  {
    title: "arguments are completed by the server's own values",
    cites: 'server/utilities/completion',
    async check({ client, name }) {
      const ref = { type: 'ref/prompt' as const, name: name('greet') };
      const { completion } = await client.complete({ ref, argument: { name: 'name', value: 'a' } });
      expect(completion.values).toEqual(['Ada', 'Alan']);
    },
  },
  {
    title: 'progress arrives in order, before the result',
    cites: 'basic/utilities/progress',
    async check({ client, name }) {
      const seen: number[] = [];
      const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
      const result = await client.callTool({ name: name('count'), arguments: {} }, { onprogress });
      expect(firstText(result)).toBe('counted');
      expect(seen).toEqual([1, 2, 3]);
    },
  },
  {
    title: 'two calls at once each get their own progress',
    cites: 'basic/utilities/progress',
    async check({ client, name }) {
      const counted = await Promise.all(
        ['first', 'second'].map(async () => {
          const seen: number[] = [];
          const onprogress = ({ progress }: { progress: number }) => void seen.push(progress);
          await client.callTool({ name: name('count'), arguments: {} }, { onprogress });
          return seen;
        }),
      );
      expect(counted).toEqual([
        [1, 2, 3],
        [1, 2, 3],
      ]);
    },
  },
  {
    title: 'a client that asked for no log messages gets none',
    cites: 'server/utilities/logging (2025-11-25: the choice is the server’s; 2026-07-28: MUST NOT)',
    async check({ client, name }) {
      const result = await client.callTool({ name: name('log'), arguments: { id: 'unasked' } });
      expect(firstText(result)).toBe('logged');
      expect(client.logged).toEqual([]);
    },
  },
  {
    title: 'log messages arrive from the level on that was asked for, before the result',
    cites: 'server/utilities/logging',
    async check({ client, clientEra, name }) {
      if (clientEra === 'legacy') await client.setLoggingLevel('info');
      const asked = clientEra === 'modern' ? { _meta: { 'io.modelcontextprotocol/logLevel': 'info' } } : {};
      const params = { name: name('log'), arguments: { id: 'asked' }, ...asked };
      expect(firstText(await client.callTool(params))).toBe('logged');
      expect(client.logged.map(({ level, data }) => [level, data])).toEqual([
        ['info', 'info asked'],
        ['error', 'error asked'],
      ]);
    },
  },
  {
    title: 'a log level that there is none of is an invalid-params error',
    cites: 'server/utilities/logging, error handling',
    only: ({ clientEra }) => clientEra === 'legacy',
    async check({ client }) {
      const error = await errorOf(client.setLoggingLevel('loud' as 'info'));
      expect(error.code).toBe(-32_602);
    },
  },
  {
    title: 'vendor _meta reaches the server, and nothing of the credential does',
    cites: 'basic, _meta',
    async check({ client, name }) {
      const params = { name: name('meta'), arguments: {}, _meta: { 'example.com/run': 'r-1' } };
      const seen = firstText(await client.callTool(params)) ?? '';
      expect(JSON.parse(seen)).toMatchObject({ 'example.com/run': 'r-1' });
      expect(seen).not.toContain('sp_');
    },
  },
  {
    title: 'many calls at once each get their own answer',
    cites: 'basic, request ids',
    async check({ client, name }) {
      const texts = Array.from({ length: 20 }, (_, index) => `call ${index}`);
      const calls = texts.map((text) => client.callTool({ name: name('echo'), arguments: { text } }));
      const results = await Promise.all(calls);
      expect(results.map(firstText)).toEqual(texts);
    },
  },
  {
    title: 'lists and reads carry the caching fields',
    cites: 'server/utilities/caching',
    only: ({ clientEra }) => clientEra === 'modern',
    because: '2025-11-25 does not have them.',
    async check({ client }) {
      const cacheable = { ttlMs: expect.any(Number), cacheScope: expect.stringMatching(/^(public|private)$/u) };
      expect(await client.listTools()).toMatchObject({ ...cacheable, cacheScope: 'private' });
      expect(await client.readResource({ uri: 'note://welcome' })).toMatchObject(cacheable);
    },
  },
  {
    title: 'changes of lists and of resources are offered',
    cites: 'server/tools, server/resources, capabilities',
    async check({ client }) {
      const { tools, resources } = client.getServerCapabilities() ?? {};
      expect(tools).toEqual({ listChanged: true });
      expect(resources).toEqual({ subscribe: true, listChanged: true });
    },
  },
  {
    title: 'a resource that was subscribed to is told of when it changes, and no other is',
    cites: 'server/resources, subscriptions; basic/utilities/subscriptions',
    async check({ client, name, clientEra }) {
      const heard: string[] = [];
      const { stop, honoured } = await client.hearOf({ tools: false, uris: ['note://welcome'] }, (what) =>
        heard.push(what),
      );
      if (clientEra === 'modern') expect(honoured).toEqual({ resourceSubscriptions: ['note://welcome'] });
      const touch = (uri: string) => client.callTool({ name: name('touch'), arguments: { uri } });
      await touch('note://pixel');
      await until('the change of the resource', async () => {
        if (!heard.includes('note://welcome')) await touch('note://welcome');
        return heard.includes('note://welcome');
      });
      await stop();
      expect(new Set(heard)).toEqual(new Set(['note://welcome']));
    },
  },
  {
    title: 'a server that offers a tool more makes the list change, and clients hear of it',
    cites: 'server/tools, list changed notification',
    async check({ client, name }) {
      const heard: string[] = [];
      const { stop } = await client.hearOf({ tools: true, uris: [] }, (what) => heard.push(what));
      const names = async () => (await client.listTools()).tools.map((tool) => tool.name);
      for (const isThere of [true, false]) {
        heard.length = 0;
        await client.callTool({ name: name('toggle'), arguments: {} });
        await until('the change of the list', () => heard.includes('tools'));
        expect((await names()).includes(name('extra'))).toBe(isThere);
      }
      await stop();
    },
  },
  {
    title: 'ping is answered',
    cites: 'basic/utilities/ping',
    only: ({ clientEra }) => clientEra === 'legacy',
    because: '2026-07-28 does not have it.',
    async check({ client }) {
      await expect(client.ping()).resolves.toEqual({});
    },
  },
];
