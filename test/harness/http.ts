/** Requests as bytes: what a well-behaved client library would never send has to be sent too. */

import { request as httpRequest, type Agent, type IncomingHttpHeaders } from 'node:http';

export type HttpAnswer = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body as JSON, or the last event's data of an event stream; undefined when it is neither. */
  readonly json: JsonRpcAnswer | undefined;
};

export type JsonRpcAnswer = {
  readonly id?: unknown;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string; readonly data?: Record<string, unknown> };
};

export type HttpRequest = {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  /** The address it comes from. */
  readonly from?: string;
  /** Default: a connection of its own. */
  readonly agent?: Agent;
};

export function send(
  url: string,
  { method = 'POST', headers = {}, body, from, agent }: HttpRequest,
): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const own = from === undefined ? {} : { localAddress: from };
    const request = httpRequest(url, { method, headers, agent: agent ?? false, ...own }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parse(text) });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}

function parse(text: string): JsonRpcAnswer | undefined {
  const events = [...text.matchAll(/^data: ?(.*)$/gmu)].map(([, data]) => data ?? '');
  const candidate = events.length > 0 ? (events.at(-1) ?? '') : text;
  try {
    return JSON.parse(candidate) as JsonRpcAnswer;
  } catch {
    return undefined;
  }
}

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
};

type Correct = Required<Pick<HttpRequest, 'headers' | 'body'>>;

/** A correct modern request; tests then break one thing of it. */
export function modern(method: string, params: Record<string, unknown> = {}): Correct {
  const name = params.name ?? params.uri;
  return {
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' ? { 'mcp-name': name } : {}),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { _meta: META, ...params } }),
  };
}

/** A correct legacy request of a session, or the `initialize` that opens one. */
export function legacy(method: string, params: Record<string, unknown> = {}, session?: string): Correct {
  const opening = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  return {
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...(session === undefined ? {} : { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: method === 'initialize' ? opening : params }),
  };
}

export const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });
