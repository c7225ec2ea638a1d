/** `sallyport call server/tool`: one tool call through a running gateway, as any client would make it. */

import { isJsonObject } from '../model/json.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { encodeParamHeaders } from '../protocol/param-headers.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { mcpRequest } from './mcp-call.ts';
import type { McpAnswer, McpRequest } from './mcp-call.ts';
import type { Terminal } from './terminal.ts';

export type CallOptions = {
  /** `files/read_text_file`. */
  readonly address: string;
  readonly arg: readonly string[];
  readonly json?: string;
  readonly key?: string;
  readonly url: string;
  /** Print the result as it came. */
  readonly raw: boolean;
};

export async function call(context: CommandContext, options: CallOptions): Promise<ExitCode> {
  const { terminal, env } = context;
  const { server, tool } = parseAddress(options.address);
  const args = await callArguments(context, options);
  const key = options.key ?? env['SALLYPORT_KEY'];
  const request: McpRequest = {
    endpoint: `${options.url.replace(/\/+$/, '')}/servers/${server}/mcp`,
    key: key === '' ? undefined : key,
    method: 'tools/call',
    name: tool,
    params: { name: tool, arguments: args },
    onNotification: (method, params) => terminal.err(terminal.dim(notice(method, params))),
  };
  const first = await mcpRequest(request);
  const answer = isHeaderMismatch(first)
    ? await mcpRequest({ ...request, headers: encodeParamHeaders(await schemaOf(request), args, undefined) })
    : first;
  if (answer.kind === 'error') throw refusal(answer.status, answer.error);
  const { result } = answer;
  if (options.raw) terminal.out(JSON.stringify(result, null, 2));
  else printResult(result, terminal);
  if (result['resultType'] === 'input_required') {
    throw new CommandError(
      'The server asks for something from a person, which this command cannot answer.',
      EXIT.refused,
    );
  }
  return result['isError'] === true ? EXIT.toolFailed : EXIT.done;
}

const HEADER_MISMATCH = -32_020;
const MAX_PAGES = 20;

const isHeaderMismatch = (answer: McpAnswer): boolean =>
  answer.kind === 'error' && answer.error['code'] === HEADER_MISMATCH;

/**
 * The tool's input schema, which says what to mirror into headers. Most tools mirror nothing, so it is asked for only
 * when the gateway missed a header (MCP 2026-07-28, streamable HTTP: list the tools and try again).
 */
async function schemaOf({ endpoint, key, name }: McpRequest): Promise<JsonObject | undefined> {
  let cursor: Json | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const params: JsonObject = cursor === undefined ? {} : { cursor };
    const listed = await mcpRequest({ endpoint, key, method: 'tools/list', params });
    if (listed.kind === 'error') return undefined;
    const { tools, nextCursor } = listed.result;
    const found: unknown = Array.isArray(tools)
      ? tools.find((one) => isJsonObject(one) && one['name'] === name)
      : undefined;
    if (isJsonObject(found)) return isJsonObject(found['inputSchema']) ? found['inputSchema'] : undefined;
    if (nextCursor === undefined) return undefined;
    cursor = nextCursor;
  }
  return undefined;
}

/** @throws CommandError when it is not `server/tool`. */
export function parseAddress(address: string): { readonly server: string; readonly tool: string } {
  const slash = address.indexOf('/');
  const server = address.slice(0, Math.max(slash, 0));
  const tool = address.slice(slash + 1);
  if (/^[a-z0-9-]+$/.test(server) && tool !== '') return { server, tool };
  throw new CommandError(
    `"${address}" is not the address of a tool.`,
    EXIT.usage,
    `Write server/tool, for example files/read_text_file. "${TYPED} tools" lists them all.`,
  );
}

async function callArguments({ readInput }: CommandContext, options: CallOptions): Promise<JsonObject> {
  const text = options.json === '-' ? await readInput() : options.json;
  const base = text === undefined ? {} : parseObject(text);
  return { ...base, ...Object.fromEntries(options.arg.map(parseArgument)) };
}

function parseObject(text: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CommandError(
      'What --json gives is not JSON.',
      EXIT.usage,
      `For example: --json '{"path": "a.txt"}'`,
      error,
    );
  }
  if (isJsonObject(value)) return value;
  throw new CommandError('What --json gives is not an object.', EXIT.usage, `For example: --json '{"path": "a.txt"}'`);
}

/** `path=a.txt` is a text, `count=3`, `deep=true` and `list=[1,2]` are what JSON makes of them, `id="3"` is a text again. */
export function parseArgument(written: string): [name: string, value: Json] {
  const equals = written.indexOf('=');
  if (equals < 1) {
    throw new CommandError(`"${written}" is not an argument.`, EXIT.usage, 'Write --arg name=value.');
  }
  const text = written.slice(equals + 1);
  return [written.slice(0, equals), jsonOrText(text)];
}

function jsonOrText(text: string): Json {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return text;
  }
}

function printResult(result: JsonObject, terminal: Terminal): void {
  const content: readonly unknown[] = Array.isArray(result['content']) ? result['content'] : [];
  const write = (text: string): void => (result['isError'] === true ? terminal.err(text) : terminal.out(text));
  for (const block of content) {
    if (isJsonObject(block) && typeof block['text'] === 'string') write(block['text']);
    else write(JSON.stringify(block));
  }
  if (content.length === 0) write(JSON.stringify(result['structuredContent'] ?? result, null, 2));
}

function notice(method: string, params: JsonObject): string {
  if (method !== 'notifications/progress') return `${method} ${JSON.stringify(params)}`;
  const { progress, total, message } = params;
  const of = total === undefined ? '' : ` of ${JSON.stringify(total)}`;
  return `progress ${JSON.stringify(progress)}${of}${typeof message === 'string' ? `  ${message}` : ''}`;
}

function refusal(status: number, error: JsonObject): CommandError {
  const message = typeof error['message'] === 'string' ? error['message'] : 'The gateway gave no reason.';
  const code = typeof error['code'] === 'number' ? ` (${error['code']}, HTTP ${status})` : ` (HTTP ${status})`;
  return new CommandError(`${message}${code}`, EXIT.refused, status === 401 ? KEY_HINT : undefined);
}

const KEY_HINT = `Set SALLYPORT_KEY, or give --key. "${TYPED} key create <name>" makes a new one.`;
