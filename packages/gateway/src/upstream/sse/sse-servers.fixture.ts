/** For the tests of this folder: an HTTP+SSE server that answers as it is told. */

import type { IncomingMessage, ServerResponse } from 'node:http';

import type { JsonObject } from '../../model/json.ts';
import { serve, type Cleanups } from '../testing/http-servers.ts';

export type Said = {
  readonly headers: IncomingMessage['headers'];
  readonly path: string;
  readonly message: JsonObject;
};

export type SseServer = {
  readonly url: URL;
  /** What was posted to it, in the order in which it came. */
  readonly said: Said[];
  /** What the streams were opened with. */
  readonly opened: IncomingMessage['headers'][];
  readonly streams: ServerResponse[];
  methods(): string[];
};

/** How it differs from a good one. */
export type Manner = {
  readonly revision?: string;
  /** The data of the first event, or what is written instead. */
  readonly endpoint?: string | ((response: ServerResponse, url: URL) => void);
  /** The answer to a stream's request; default: 200 and events. */
  readonly open?: (response: ServerResponse) => boolean;
  /** What a POST is answered with. Default: 202. */
  readonly status?: (said: Said) => number;
  /** Beside the handshake. */
  readonly answer?: (said: Said, stream: ServerResponse) => void;
};

export const message = (value: unknown): string => `event: message\ndata: ${JSON.stringify(value)}\n\n`;

export const resultFor = ({ message: { id } }: Said, result: JsonObject): string =>
  message({ jsonrpc: '2.0', id: id ?? null, result });

const methodOf = ({ message: { method } }: Said): string => (typeof method === 'string' ? method : 'answer');

export async function serveSse(cleanups: Cleanups, manner: Manner = {}): Promise<SseServer> {
  const said: Said[] = [];
  const opened: IncomingMessage['headers'][] = [];
  const streams: ServerResponse[] = [];
  const { endpoint = '/messages?session=1', revision = '2024-11-05' } = manner;

  const openStream = (request: IncomingMessage, response: ServerResponse, url: URL): void => {
    opened.push(request.headers);
    if (manner.open?.(response) === true) return;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    streams.push(response);
    if (typeof endpoint === 'string') response.write(`event: endpoint\ndata: ${endpoint}\n\n`);
    else endpoint(response, url);
  };
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const one: Said = {
      headers: request.headers,
      path: request.url ?? '',
      message: JSON.parse(Buffer.concat(chunks).toString('utf8')),
    };
    said.push(one);
    const status = manner.status?.(one) ?? 202;
    response.writeHead(status, { 'content-type': 'text/plain' }).end(status === 202 ? 'Accepted' : 'no');
    const stream = streams.at(-1);
    if (status !== 202 || stream === undefined) return;
    if (one.message['method'] === 'initialize') {
      const serverInfo = { name: 'old', version: '1' };
      stream.write(resultFor(one, { protocolVersion: revision, capabilities: { tools: {} }, serverInfo }));
    } else manner.answer?.(one, stream);
  };

  const { url } = await serve(cleanups, (request, response) => {
    const isStream = request.method === 'GET' && request.url === '/mcp';
    if (isStream) openStream(request, response, url);
    else if (request.method === 'POST' && request.url?.startsWith('/messages') === true) void take(request, response);
    else response.writeHead(405).end('Method Not Allowed');
  });
  return {
    url,
    said,
    opened,
    streams,
    methods: () => said.map((one) => methodOf(one)),
  };
}
