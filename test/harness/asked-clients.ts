/** The official SDKs' clients with a person behind them: what they are asked, and what they say. */

import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

import type { ClientKind } from '../matrix/clients.ts';

export type Said = { readonly action: 'accept' | 'decline' | 'cancel'; readonly content?: Record<string, boolean> };
export type Question = { readonly mode?: string; readonly message: string; readonly url?: string };
export type Person = (question: Question) => Said | Promise<Said>;

export type AskedClient = {
  readonly questions: readonly Question[];
  call(name: string, args: Record<string, unknown>): Promise<{ readonly text: string; readonly isError: boolean }>;
  read(uri: string): Promise<unknown>;
  close(): Promise<void>;
};

export type AskedOptions = {
  readonly kind: ClientKind;
  readonly url: string;
  readonly key: string;
  /** Absent: a client that cannot ask anyone. */
  readonly person?: Person;
  readonly modes?: Readonly<Record<string, Record<string, never>>>;
};

const INFO = { name: 'asked-client', version: '1.0.0' };

export async function connectAsked({
  kind,
  url,
  key,
  person,
  modes = { form: {}, url: {} },
}: AskedOptions): Promise<AskedClient> {
  const questions: Question[] = [];
  const capabilities = person === undefined ? {} : { elicitation: modes };
  const ask = (question: Question): Said | Promise<Said> => {
    questions.push(question);
    return person?.(question) ?? { action: 'cancel' };
  };
  const client = kind === 'sdk-v1' ? new ClientV1(INFO, { capabilities }) : clientV2(kind, capabilities);
  const requestInit = { headers: { Authorization: `Bearer ${key}` } };
  if (client instanceof ClientV1) {
    if (person !== undefined)
      client.setRequestHandler(ElicitRequestSchema, ({ params }) => ask(params as Question) as never);
    await client.connect(new TransportV1(new URL(url), { requestInit }));
  } else {
    if (person !== undefined)
      client.setRequestHandler('elicitation/create', ({ params }) => ask(params as Question) as never);
    await client.connect(new TransportV2(new URL(url), { requestInit }));
  }
  return {
    questions,
    async call(name, args) {
      const result = await client.callTool({ name, arguments: args });
      const content = result.content as readonly { readonly text?: string }[];
      return { text: content.map(({ text = '' }) => text).join('\n'), isError: result.isError === true };
    },
    read: (uri) => client.readResource({ uri }),
    close: () => client.close(),
  };
}

const clientV2 = (kind: ClientKind, capabilities: object): ClientV2 =>
  new ClientV2(INFO, {
    capabilities,
    versionNegotiation: { mode: kind === 'sdk-v2-modern' ? { pin: '2026-07-28' } : 'legacy' },
  });
