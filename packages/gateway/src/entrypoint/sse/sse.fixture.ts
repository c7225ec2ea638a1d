/** For the tests of this folder: a client of 2024-11-05 that says what it is told. */

import type { IncomingMessage } from 'node:http';

import { until } from '../../../../../test/harness/until.ts';
import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { initializeBody, open, send, type Received, type Sent } from '../entrypoint.fixtures.ts';

export type OldClient = {
  readonly response: IncomingMessage;
  /** Where it posts to, as the first event says. */
  readonly uri: string;
  /** Every message of the stream so far. */
  readonly messages: JsonObject[];
  /** The stream as it came. */
  text(): string;
  post(body: unknown, sent?: Sent): Promise<Received>;
  /** The answer to the request with this id, once it is there. */
  answer(id: number | string): Promise<JsonObject>;
  readonly ended: Promise<void>;
};

/** Opens a stream; with a revision also the session. */
export async function openSse(port: number, revision?: string, sent: Sent = {}): Promise<OldClient> {
  const headers = { 'content-type': undefined, accept: 'text/event-stream', ...sent.headers };
  const response = await open(port, { method: 'GET', path: '/sse', ...sent, headers });
  const messages: JsonObject[] = [];
  let text = '';
  let read = 0;
  let uri = '';
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    for (let end = text.indexOf('\n\n', read); end >= 0; end = text.indexOf('\n\n', read)) {
      const [, type = '', data = ''] = /^event: (\w+)\ndata: (.*)$/su.exec(text.slice(read, end)) ?? [];
      read = end + 2;
      if (type === 'endpoint') uri = data;
      const parsed: unknown = type === 'message' ? JSON.parse(data) : undefined;
      if (isJsonObject(parsed)) messages.push(parsed);
    }
  });
  const ended = new Promise<void>((resolve) => response.once('close', resolve));
  if (response.statusCode !== 200) throw new Error(`the stream was answered with ${response.statusCode}`);
  await until('the endpoint is named', () => uri !== '');
  const client: OldClient = {
    response,
    uri,
    messages,
    text: () => text,
    post: (body, one = {}) => send(port, { path: uri, ...one, body }),
    async answer(id) {
      const isAnswer = (message: JsonObject): boolean => message.id === id && message.method === undefined;
      await until(`request ${id} is answered`, () => messages.some(isAnswer));
      return messages.find(isAnswer) ?? {};
    },
    ended,
  };
  if (revision === undefined) return client;
  const opened = await client.post({ ...initializeBody(revision), id: 'init' });
  if (opened.status !== 202) throw new Error(`initialize was answered with ${opened.status}`);
  await client.answer('init');
  return client;
}
