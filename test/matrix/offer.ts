/**
 * What the matrix's upstream servers offer, once for both eras: definitions and behaviour as plain values. The servers
 * around it are the official SDKs'. Tools are listed two to a page.
 */

import { existsSync, rmSync, watchFile, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export type Progress = { readonly progress: number; readonly total: number; readonly message: string };

export type LogLevel = 'debug' | 'info' | 'error';

export type CallContext = {
  readonly meta: Readonly<Record<string, unknown>>;
  readonly report: (progress: Progress) => Promise<void>;
  /** Sends a log message, if one of this level was asked for: else nothing. */
  readonly log: (level: LogLevel, data: string) => Promise<void>;
  /** Tells everyone who listens. */
  readonly touched: (uri: string) => Promise<void>;
};

/** A protocol error of the server's own, with data. */
export class OfferError extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor(code: number, message: string, data?: unknown) {
    super(message);
    this.code = code;
    this.data = data;
  }
}

const object = (properties: Record<string, { type: string }>, required: readonly string[] = []) => ({
  type: 'object' as const,
  properties,
  required: [...required],
});

export const INSTRUCTIONS = 'Prefer `sum` to mental arithmetic.';

type Tool = {
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: ReturnType<typeof object>;
  readonly outputSchema?: ReturnType<typeof object>;
  readonly _meta?: Record<string, unknown>;
};

export const TOOLS: readonly Tool[] = [
  {
    name: 'echo',
    title: 'Echo',
    description: 'Says the text again.',
    inputSchema: object({ text: { type: 'string' } }, ['text']),
    _meta: { 'example.com/colour': 'green' },
  },
  {
    name: 'sum',
    description: 'Adds two numbers.',
    inputSchema: object({ a: { type: 'number' }, b: { type: 'number' } }, ['a', 'b']),
    outputSchema: object({ total: { type: 'number' } }, ['total']),
  },
  { name: 'fail', description: 'Runs and fails.', inputSchema: object({}) },
  { name: 'reject', description: 'Answers with a protocol error.', inputSchema: object({}) },
  {
    name: 'count',
    description: 'Reports progress three times.',
    inputSchema: object({ as: { type: 'string' } }),
  },
  {
    name: 'log',
    description: 'Logs while it works, if it was asked to.',
    inputSchema: object({ id: { type: 'string' } }),
  },
  { name: 'meta', description: 'Tells which _meta it was called with.', inputSchema: object({}) },
  { name: 'picture', description: 'Answers with a picture.', inputSchema: object({}) },
  {
    name: 'touch',
    description: 'Tells that a resource has changed.',
    inputSchema: object({ uri: { type: 'string' } }),
  },
  { name: 'toggle', description: 'Offers one tool more, or again not.', inputSchema: object({}) },
];

/** What `toggle` adds. */
export const EXTRA: Tool = { name: 'extra', description: 'Comes and goes.', inputSchema: object({}) };
/** A file, because every caller may have a process of their own, and all of them offer the same. Named after whoever started them. */
const [, script = '', transport = ''] = process.argv;
const FLAG = path.join(tmpdir(), `sallyport-matrix-${process.ppid}-${path.basename(script)}-${transport}`);

/** Of any of the processes; looked for, because on some file systems nothing tells. */
export const onToggle = (toggled: () => void): void =>
  void watchFile(FLAG, { interval: 50, persistent: false }, toggled);

export const PAGE_SIZE = 2;

const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC';

const text = (value: string) => ({ content: [{ type: 'text' as const, text: value }] });

export async function callTool(name: string, args: Readonly<Record<string, unknown>>, context: CallContext) {
  switch (name) {
    case 'echo':
      return text(String(args.text));
    case 'sum': {
      const total = Number(args.a) + Number(args.b);
      return { ...text(String(total)), structuredContent: { total } };
    }
    case 'fail':
      return { ...text('It did not work.'), isError: true };
    case 'reject':
      throw new OfferError(4242, 'The server said no.', { because: 'it can' });
    case 'count':
      for (const progress of [1, 2, 3])
        await context.report({
          progress,
          total: 3,
          message: `step ${progress} ${typeof args.as === 'string' ? args.as : ''}`,
        });
      return text('counted');
    case 'log':
      for (const level of ['debug', 'info', 'error'] as const) await context.log(level, `${level} ${String(args.id)}`);
      return text('logged');
    case 'meta':
      return text(JSON.stringify(context.meta));
    case 'touch':
      await context.touched(String(args.uri));
      return text('touched');
    case 'toggle':
      if (existsSync(FLAG)) rmSync(FLAG);
      else writeFileSync(FLAG, '');
      return text('toggled');
    case 'picture':
      return { content: [{ type: 'image' as const, data: PIXEL, mimeType: 'image/png' }] };
    default:
      throw new OfferError(-32_602, `Unknown tool: ${name}`);
  }
}

export function toolPage(cursor: string | undefined) {
  const start = cursor === undefined ? 0 : Number(cursor);
  const end = start + PAGE_SIZE;
  const tools = existsSync(FLAG) ? [...TOOLS, EXTRA] : TOOLS;
  return { tools: tools.slice(start, end), ...(end < tools.length ? { nextCursor: String(end) } : {}) };
}

export const RESOURCES = [
  { uri: 'note://welcome', name: 'welcome', description: 'A text.', mimeType: 'text/plain' },
  { uri: 'note://pixel', name: 'pixel', description: 'A picture.', mimeType: 'image/png' },
];

export const TEMPLATES = [{ uriTemplate: 'note://by-id/{id}', name: 'by-id', description: 'A text by its number.' }];

/** `notFound` is the code of the server's own era. */
export function readResource(uri: string, notFound: number) {
  if (uri === 'note://welcome') return { contents: [{ uri, mimeType: 'text/plain', text: 'Welcome.' }] };
  if (uri === 'note://pixel') return { contents: [{ uri, mimeType: 'image/png', blob: PIXEL }] };
  const id = /^note:\/\/by-id\/(\d+)$/u.exec(uri)?.[1];
  if (id !== undefined) return { contents: [{ uri, mimeType: 'text/plain', text: `Note ${id}.` }] };
  throw new OfferError(notFound, 'Resource not found', { uri });
}

export const PROMPTS = [
  {
    name: 'greet',
    description: 'Greets somebody.',
    arguments: [{ name: 'name', description: 'Whom', required: true }],
  },
];

export function getPrompt(name: string, args: Readonly<Record<string, unknown>>) {
  if (name !== 'greet') throw new OfferError(-32_602, `Unknown prompt: ${name}`);
  return {
    messages: [{ role: 'user' as const, content: { type: 'text' as const, text: `Greet ${String(args.name)}.` } }],
  };
}

const NAMES = ['Ada', 'Alan', 'Grace'];

export function complete(prefix: string) {
  const values = NAMES.filter((name) => name.toLowerCase().startsWith(prefix.toLowerCase()));
  return { completion: { values, total: values.length, hasMore: false } };
}
