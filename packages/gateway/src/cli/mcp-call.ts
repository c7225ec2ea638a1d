/**
 * A client for one request, in the newest revision of MCP (2026-07-28): it needs no handshake, so a call is one POST. For
 * the command line only; the gateway's own way to servers is `upstream`.
 */

import { isJsonObject } from '../model/json.ts';
import type { JsonObject } from '../model/json.ts';
import { NEWEST_MODERN } from '../model/revision.ts';
import { encodeHeaderValue } from '../protocol/header-value.ts';
import { SALLYPORT } from '../protocol/identity.ts';
import { CommandError, TYPED } from './command.ts';
import { EXIT } from './exit-code.ts';

export type McpRequest = {
  /** The endpoint: `http://127.0.0.1:8080/servers/files/mcp`. */
  readonly endpoint: string;
  readonly key: string | undefined;
  readonly method: string;
  /** What the request is about, repeated in `Mcp-Name` (transports, standard request headers). */
  readonly name?: string;
  readonly params: JsonObject;
  /** Beside the standard ones: arguments that a tool wants mirrored. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly onNotification?: (method: string, params: JsonObject) => void;
};

export type McpAnswer =
  | { readonly kind: 'result'; readonly result: JsonObject }
  | { readonly kind: 'error'; readonly status: number; readonly error: JsonObject };

const META = 'io.modelcontextprotocol/';

/** @throws CommandError when nothing answers, or not in MCP. */
export async function mcpRequest(request: McpRequest): Promise<McpAnswer> {
  const response = await post(request);
  const type = response.headers.get('content-type') ?? '';
  const message = type.startsWith('text/event-stream')
    ? await lastMessage(response, request.onNotification)
    : readJson(await response.text());
  if (isJsonObject(message)) {
    if (isJsonObject(message['result'])) return { kind: 'result', result: message['result'] };
    if (isJsonObject(message['error'])) return { kind: 'error', status: response.status, error: message['error'] };
  }
  throw new CommandError(
    `${request.endpoint} answered with HTTP ${response.status}, which is not an MCP answer.`,
    EXIT.unreachable,
    'Name the address of a Sallyport with --url.',
  );
}

async function post({ endpoint, key, method, name, params, headers: extra }: McpRequest): Promise<Response> {
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method,
    params: {
      ...params,
      _meta: {
        [`${META}protocolVersion`]: NEWEST_MODERN,
        [`${META}clientCapabilities`]: {},
        [`${META}clientInfo`]: { name: 'sallyport-cli', version: SALLYPORT.version },
        progressToken: 'cli',
      },
    },
  };
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': NEWEST_MODERN,
    'mcp-method': method,
    ...extra,
  };
  if (name !== undefined) headers['mcp-name'] = encodeHeaderValue(name);
  if (key !== undefined) headers['authorization'] = `Bearer ${key}`;
  try {
    return await fetch(endpoint, { method: 'POST', headers, body: JSON.stringify(body), redirect: 'error' });
  } catch (error) {
    throw unreachable(endpoint, error);
  }
}

/** The sentence for an address where nothing listens. */
export function unreachable(url: string, cause: unknown): CommandError {
  const { origin } = new URL(url);
  return new CommandError(
    `Nothing answers at ${origin}.`,
    EXIT.unreachable,
    `Start a gateway with "npm start" or "${TYPED} serve", or name another one with --url.`,
    cause,
  );
}

/** The response is the last message of the stream; what comes before it are notifications. */
async function lastMessage(response: Response, onNotification: McpRequest['onNotification']): Promise<unknown> {
  let pending = '';
  let last: unknown;
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    pending += decoder.decode(chunk, { stream: true });
    const events = pending.split(/\r?\n\r?\n/);
    pending = events.pop() ?? '';
    for (const event of events) last = readEvent(event, onNotification) ?? last;
  }
  return readEvent(pending, onNotification) ?? last;
}

function readEvent(event: string, onNotification: McpRequest['onNotification']): unknown {
  const data = event
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).trimStart())
    .join('\n');
  const message = data === '' ? undefined : readJson(data);
  if (!isJsonObject(message) || typeof message['method'] !== 'string') return message;
  const { method, params } = message;
  onNotification?.(method, isJsonObject(params) ? params : {});
  return undefined;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
