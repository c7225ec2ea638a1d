/** What the tests of the codecs share: messages as servers write them, read by the scanner that reads them in service. */

import type { JsonObject } from '../model/json.ts';
import type { Operation } from '../model/operation.ts';
import type { UpstreamMessage } from '../model/outcome.ts';
import { err, ok } from '../model/result.ts';
import type { Era } from '../model/revision.ts';
import type { Entry, Server, ToolEntry } from '../model/target.ts';
import { UNKNOWN_TRAITS } from '../model/target.ts';
import type { EncodeContext, EncodedAnswer, EncodedMessage, Seals } from './codec.ts';
import { scanEnvelope } from './envelope.ts';
import { readUpstreamAnswer } from './upstream-answer.ts';

const utf8 = new TextEncoder();

async function* piecesOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** A response as it came from an upstream. With `headBytes`, what lies beyond is still arriving. */
export function upstreamMessage(text: string, era: Era, headBytes?: number): UpstreamMessage {
  const bytes = utf8.encode(text);
  const head = headBytes === undefined ? bytes : bytes.subarray(0, headBytes);
  const scan = scanEnvelope(head, { era, complete: headBytes === undefined });
  if (scan.kind !== 'found') throw new Error(`The fixture is no response: ${JSON.stringify(scan)}`);
  const rest = headBytes === undefined ? {} : { rest: piecesOf(bytes.subarray(headBytes), 7) };
  const read = readUpstreamAnswer({ era, head, envelope: scan.envelope, ...rest });
  if (read?.kind !== 'response') throw new Error('The fixture is no response with a result.');
  return read.message;
}

export const responseText = (result: JsonObject): string => JSON.stringify({ jsonrpc: '2.0', id: 4711, result });

/** All that a client would receive. */
export async function textOf(body: EncodedMessage): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for (const chunk of body.chunks) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
  for await (const chunk of body.rest ?? []) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

export async function jsonOf(answer: EncodedAnswer | Promise<EncodedAnswer>): Promise<JsonObject> {
  const parsed: JsonObject = JSON.parse(await textOf((await answer).body));
  return parsed;
}

export const seals: Seals = {
  cursor: {
    seal: ({ offset, generation }) => `sealed:${offset}:${generation}`,
    open(text) {
      const parts = /^sealed:(\d+):(.*)$/.exec(text);
      return parts === null
        ? undefined
        : { cursor: { offset: Number(parts[1]), generation: parts[2] ?? '' }, sealedFor: 'alice' };
    },
  },
  task: {
    seal: ({ server, id }) => `task:${server}:${id}`,
    open(text) {
      const parts = /^task:([^:]*):(.*)$/.exec(text);
      if (parts === null) return undefined;
      const ref = {
        server: parts[1] ?? '',
        version: 'v1',
        tool: 'compute',
        id: parts[2] ?? '',
        era: 'modern',
      } as const;
      return { ref, sealedFor: 'alice' };
    },
  },
  state: {
    seal: (continuation) => `state:${continuation.kind === 'approval' ? continuation.approvalId : ''}`,
    open(text) {
      const id = /^state:(.+)$/.exec(text)?.[1];
      return id === undefined
        ? err('the state is forged')
        : ok({ continuation: { kind: 'approval', approvalId: id }, sealedFor: 'alice' });
    },
  },
};

export const callTool: Operation = { kind: 'call-tool', name: 'add', arguments: { a: 1 } };

export const contextOf = (operation: Operation, more: Partial<EncodeContext> = {}): EncodeContext => ({
  id: 7,
  operation,
  aggregate: false,
  seals,
  maxProjectedBytes: 10_000,
  ...more,
});

const server: Server = { id: 'files', version: 'v1', sharing: 'shared' };

const entryBase = (definition: JsonObject, name: string) => ({
  server,
  name,
  definition,
  text: JSON.stringify(definition),
  hash: '',
  traits: UNKNOWN_TRAITS,
});

type Named = JsonObject & { readonly name: string };

export const toolEntry = (definition: Named): ToolEntry => ({
  ...entryBase(definition, definition.name),
  kind: 'tool',
  aggregateName: `files_${definition.name}`,
  inputSchema: { type: 'object' },
});

export const promptEntry = (definition: Named): Entry => ({
  ...entryBase(definition, definition.name),
  kind: 'prompt',
  aggregateName: `files_${definition.name}`,
});

export const resourceEntry = (definition: JsonObject & { readonly uri: string }): Entry => ({
  ...entryBase(definition, definition.uri),
  kind: 'resource',
  aggregateName: definition.uri,
  listed: true,
});
