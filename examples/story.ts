/** What the examples share: a real gateway from a story's own configuration, with fresh keys, on free ports. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { randomBytes } from 'node:crypto';

import { createApiKey } from '../packages/gateway/src/authn/api-key.ts';
import { mcpRequest } from '../packages/gateway/src/cli/mcp-call.ts';
import type { McpAnswer } from '../packages/gateway/src/cli/mcp-call.ts';
import { loadConfig } from '../packages/gateway/src/config/load.ts';
import { formatProblem } from '../packages/gateway/src/config/problem.ts';
import { startGateway } from '../packages/gateway/src/gateway.ts';
import type { Logger } from '../packages/gateway/src/telemetry/logger.ts';

export type Story = {
  readonly url: string;
  /** By user name. */
  readonly keys: Readonly<Record<string, string>>;
  readonly auditFile: string;
  /** `server/tool`, as somebody. */
  call(as: string, address: string, args: Readonly<Record<string, string | number>>): Promise<McpAnswer>;
  /** The names of the tools that somebody sees. */
  tools(as: string, server: string): Promise<readonly string[]>;
  records(): readonly unknown[];
};

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/**
 * Starts the gateway from `sallyport.yaml` of `folder`, tells the story, and ends everything. The file's keys are
 * replaced: a repository is no place for keys, and their hashes in it would only look like some.
 *
 * @param issuer Stands in for the issuers of the file: a provider on a free port.
 */
export async function runStory(
  folder: string,
  users: Readonly<Record<string, readonly string[]>>,
  tell: (story: Story) => Promise<void>,
  { issuer: actual }: { readonly issuer?: string } = {},
): Promise<void> {
  const data = mkdtempSync(path.join(tmpdir(), 'sallyport-example-'));
  const loaded = loadConfig(path.join(folder, 'sallyport.yaml'), {
    overrides: { listen: '127.0.0.1:0', operations: 'off' },
  });
  if (!loaded.ok) throw new Error(loaded.error.map(formatProblem).join('\n'));
  const keys: Record<string, string> = {};
  const apiKeys = Object.entries(users).map(([name, groups]) => {
    const { key, hash } = createApiKey(randomBytes);
    keys[name] = key.expose();
    return { name, groups, hash, tenant: 'default' };
  });
  const auditFile = path.join(data, 'audit.jsonl');
  const { identity } = loaded.value.config;
  const config = {
    ...loaded.value.config,
    identity: {
      ...identity,
      apiKeys,
      issuers: actual === undefined ? [] : identity.issuers.map((issuer) => ({ ...issuer, issuer: actual })),
    },
    keys: { file: path.join(data, 'keys.json') },
    audit: { ...loaded.value.config.audit, file: auditFile, checkpoints: undefined },
    storage: { kind: 'sqlite' as const, file: path.join(data, 'sallyport.db') },
  };
  const gateway = await startGateway({ ...loaded.value, config }, { logger: silent });
  const ask = (as: string, server: string, request: { method: string; name?: string; params: object }) =>
    mcpRequest({
      endpoint: `${gateway.url}/servers/${server}/mcp`,
      key: keys[as],
      ...request,
      params: { ...request.params },
    });
  try {
    await tell({
      url: gateway.url,
      keys,
      auditFile,
      call: (as, address, args) => {
        const [server = '', name = ''] = address.split('/');
        return ask(as, server, { method: 'tools/call', name, params: { name, arguments: args } });
      },
      tools: async (as, server) => {
        const answer = await ask(as, server, { method: 'tools/list', params: {} });
        const listed: unknown = answer.kind === 'result' ? answer.result['tools'] : [];
        const tools: readonly { readonly name: string }[] = Array.isArray(listed) ? listed : [];
        return tools.map((tool) => tool.name);
      },
      records: () =>
        readFileSync(auditFile, 'utf8')
          .trim()
          .split('\n')
          .map((line): unknown => JSON.parse(line)),
    });
  } finally {
    await gateway.close(2000);
    rmSync(data, { recursive: true, force: true });
  }
}

/** The text of a result, or the message of a refusal. */
export function textOf(answer: McpAnswer): string {
  if (answer.kind === 'error') return typeof answer.error['message'] === 'string' ? answer.error['message'] : '';
  const content: unknown = answer.result['content'];
  const blocks: readonly { readonly text?: string }[] = Array.isArray(content) ? content : [];
  return blocks.map((block) => block.text ?? '').join('\n');
}

/** A line of the story, for whoever runs it. */
export const say = (line: string): void => void process.stdout.write(`        ${line}\n`);
