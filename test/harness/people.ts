/**
 * A person at a client, in either era, by hand: makes one call, is shown a question, answers it or does not, and can leave at
 * any moment. What a library would do by itself, here the test does.
 */

import { request as httpRequest, type ClientRequest } from 'node:http';

import { bearer, legacy, modern, send } from './http.ts';

export type Era = 'legacy' | 'modern';

export type Person = {
  /** Makes the call. */
  call(tool: string, args: object): void;
  /** Resolves when the question is there. */
  readonly shown: Promise<void>;
  /** Sends the answer; resolves when its bytes have left. */
  answer(): Promise<void>;
  /** The text of the result, `error: …` for one, or `closed` when the connection ended without either. */
  readonly outcome: Promise<string>;
  /** Sends the answer to another process of the gateway, a modern client's with its state; what that says. */
  answerAt(url: string): Promise<string>;
  leave(): void;
};

type At = { readonly url: string; readonly key: string };

type Message = {
  readonly id?: unknown;
  readonly method?: string;
  readonly error?: { readonly message: string };
  readonly result?: {
    readonly content?: readonly { readonly text: string }[];
    readonly isError?: boolean;
    readonly resultType?: string;
    readonly requestState?: string;
    readonly inputRequests?: Record<string, unknown>;
  };
};

type Sent = { readonly headers: Readonly<Record<string, string | string[]>>; readonly body: string | Buffer };

const META = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {} } },
};
const ACCEPT = { action: 'accept', content: { answer: 'yes' } };

export async function personAt(era: Era, at: At): Promise<Person> {
  const shown = Promise.withResolvers<void>();
  const outcome = Promise.withResolvers<string>();
  const open = new Set<ClientRequest>();
  const post = (sent: Sent, hear: (message: Message) => void): Promise<void> =>
    postTo(at, sent, { hear, open, closed: () => outcome.resolve('closed') });
  const common = {
    shown: shown.promise,
    outcome: outcome.promise,
    leave: () => {
      for (const request of open) request.destroy();
    },
  };
  const end = (message: Message): void => outcome.resolve(textOf(message));

  if (era === 'modern') {
    let asked: Message['result'];
    let params = {};
    const hear = (message: Message): void => {
      if (message.result?.resultType !== 'input_required') return end(message);
      asked = message.result;
      shown.resolve();
    };
    const callWith = (more: object): Promise<void> =>
      post(modern('tools/call', { ...params, ...more, _meta: META }), hear);
    return {
      ...common,
      call: (name, args) => {
        params = { name, arguments: args };
        void callWith({});
      },
      answer: () => {
        const keys = Object.keys(asked?.inputRequests ?? {});
        const inputResponses = Object.fromEntries(keys.map((key) => [key, ACCEPT]));
        return callWith({ requestState: asked?.requestState, inputResponses });
      },
      answerAt: (url) =>
        new Promise((resolve) => {
          const answers = { requestState: asked?.requestState, inputResponses: {} };
          const sent = modern('tools/call', { ...params, ...answers, _meta: META });
          void postTo({ ...at, url }, sent, {
            open,
            hear: (message) => resolve(textOf(message)),
            closed: () => resolve('closed'),
          });
        }),
    };
  }

  const session = await openSession(at);
  const inSession = (message: object): Sent => ({ ...legacy('x', {}, session), body: JSON.stringify(message) });
  let question: unknown;
  return {
    ...common,
    call: (name, args) => {
      const params = { name, arguments: args };
      void post(inSession({ jsonrpc: '2.0', id: 'call', method: 'tools/call', params }), (message) => {
        if (message.method === 'elicitation/create') {
          question = message.id;
          shown.resolve();
        } else if (message.method === undefined) end(message);
      });
    },
    answer: () => postTo(at, inSession({ jsonrpc: '2.0', id: question, result: ACCEPT }), { open }),
    answerAt: (url) =>
      new Promise((resolve) => {
        const sent = inSession({ jsonrpc: '2.0', id: question, result: ACCEPT });
        void postTo({ ...at, url }, sent, { open, closed: () => resolve('taken') });
      }),
  };
}

async function openSession(at: At): Promise<string> {
  const { headers, body } = legacy('initialize');
  const opening = JSON.parse(String(body)) as { params: object };
  const params = { ...opening.params, capabilities: { elicitation: {} } };
  const answer = await send(at.url, {
    headers: { ...headers, ...bearer(at.key) },
    body: JSON.stringify({ ...opening, params }),
  });
  const session = answer.headers['mcp-session-id'];
  if (typeof session !== 'string') throw new Error(`initialize was answered with ${answer.status}: ${answer.text}`);
  return session;
}

type Hearing = {
  readonly hear?: (message: Message) => void;
  readonly closed?: () => void;
  readonly open: Set<ClientRequest>;
};

/** Resolves when the request has left. `closed` is told when the connection ends without an answer. */
function postTo({ url, key }: At, { headers, body }: Sent, { hear, closed, open }: Hearing): Promise<void> {
  return new Promise((resolve) => {
    let text = '';
    let isAnswered = false;
    const take = (json: string): void => {
      const message = JSON.parse(json) as Message;
      if (message.method === undefined) isAnswered = true;
      hear?.(message);
    };
    const request = httpRequest(url, { method: 'POST', headers: { ...headers, ...bearer(key) }, agent: false });
    const over = (): void => {
      open.delete(request);
      resolve();
      if (!isAnswered) closed?.();
    };
    open.add(request);
    request.on('response', (response) => {
      const isStream = response.headers['content-type'] === 'text/event-stream';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        if (!isStream) return;
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const data = /^data: (.*)$/mu.exec(text.slice(0, end))?.[1];
          text = text.slice(end + 2);
          // An event without data says where the stream stands, and nothing else.
          if (data !== undefined && data.trim() !== '') take(data);
        }
      });
      response.on('end', () => {
        if (!isStream && text !== '') take(text);
      });
      response.on('close', over).on('error', () => undefined);
    });
    request.on('finish', resolve).on('error', over);
    request.end(body);
  });
}

function textOf({ error, result }: Message): string {
  if (error !== undefined) return `error: ${error.message}`;
  const text = result?.content?.[0]?.text ?? '';
  return result?.isError === true ? `error: ${text}` : text;
}
