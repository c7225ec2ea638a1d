/** A server process as an `Upstream`: every call one line out, and the answer that carries its id back. */

import type { Call, SendOptions } from '../../model/call.ts';
import { failure, Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Operation } from '../../model/operation.ts';
import type { ClientChannel, Discovery, Outcome } from '../../model/outcome.ts';
import type { ClientCodec } from '../../protocol/codec.ts';
import type { Upstream } from '../connector.ts';
import { answersFor, capabilitiesOf } from '../questions.ts';
import { reachedAs } from '../reached.ts';
import { processGone } from './stdio-session.ts';
import type { StdioSession } from './stdio-session.ts';
import type { Answer, Waiting } from './multiplexer.ts';

export type StdioUpstreamParts = {
  readonly session: StdioSession;
  readonly codec: ClientCodec;
  /** What the handshake told. A legacy server says it once; a modern one is asked again. */
  readonly discovery: Discovery;
  readonly maxLineBytes: number;
};

const ALIVE: Outcome = { kind: 'complete', result: { kind: 'value', value: {} } };

export function createStdioUpstream(parts: StdioUpstreamParts): Upstream {
  const { session, codec } = parts;
  return {
    era: codec.era,
    revision: codec.revision,
    transport: 'stdio',
    reached: reachedAs({ revision: codec.revision, transport: 'stdio' }, parts.discovery),
    stderr: session.stderr,
    ended: session.ended,
    close: () => session.close(),
    send(call, options) {
      const { operation } = call.intent.permit;
      if (operation.kind === 'discover' && codec.era === 'legacy') {
        return Promise.resolve({ kind: 'discovered', discovery: parts.discovery });
      }
      // The modern revision has no ping; that the process runs is all that there is to say.
      if (operation.kind === 'ping' && codec.era === 'modern') return Promise.resolve(ALIVE);
      return exchange(parts, call, options);
    },
  };
}

function exchange(parts: StdioUpstreamParts, call: Call, options: SendOptions): Promise<Outcome> {
  const { multiplexer } = parts.session;
  const { signal } = options;
  if (signal.aborted) return Promise.resolve(failed(abortFailure(signal, 'no')));
  const { operation } = call.intent.permit;
  const id = multiplexer.nextId();
  let text: string;
  try {
    text = encode(parts.codec, call, { id, options });
  } catch (error) {
    return error instanceof Refusal ? Promise.resolve(failed(error.failure)) : Promise.reject(error);
  }
  return new Promise((resolve) => {
    const finish = (outcome: Outcome): void => {
      signal.removeEventListener('abort', abort);
      resolve(outcome);
    };
    const abort = (): void => {
      const reached = multiplexer.forget(id, 'The caller no longer waits.');
      resolve(failed(abortFailure(signal, reached ? 'maybe' : 'no')));
    };
    const waiting: Waiting = {
      answered: (answer) => finish(decode(parts.codec, operation, answer)),
      tooLarge: (bytes) => finish(failed(tooLarge(bytes, parts.maxLineBytes))),
      lost: (written) => finish(failed(processGone(parts.session, written))),
    };
    if (options.channel.wantsProgress) waiting.progressed = forwardProgress(parts.codec, options.channel);
    signal.addEventListener('abort', abort, { once: true });
    if (!multiplexer.request(id, text, waiting)) finish(failed(notReading()));
  });
}

type RequestParts = { readonly id: number; readonly options: SendOptions };

function encode(codec: ClientCodec, call: Call, { id, options }: RequestParts): string {
  const { entry } = call;
  const { upstreamCursor, channel } = options;
  const answers = answersFor(call, options);
  return codec.encodeRequest({
    id,
    operation: call.intent.permit.operation,
    meta: call.meta,
    client: call.client,
    ...(channel.wantsProgress ? { progressToken: id } : {}),
    ...(entry.kind === 'tool' ? { inputSchema: entry.inputSchema } : {}),
    ...(upstreamCursor === undefined ? {} : { upstreamCursor }),
    ...(codec.era === 'modern' ? { capabilities: capabilitiesOf(call) } : {}),
    ...(answers === undefined ? {} : { answers }),
  }).body;
}

function decode(codec: ClientCodec, operation: Operation, answer: Answer): Outcome {
  if (answer.kind === 'error') return failed(codec.decodeError(operation, answer.error));
  return codec.decodeResult(operation, answer.message);
}

/** While the client has not taken the last notice, newer ones are dropped: the pipe is everyone's and must not wait. */
function forwardProgress(codec: ClientCodec, channel: ClientChannel): (params: JsonObject) => void {
  let busy = false;
  const free = (): void => {
    busy = false;
  };
  return (params) => {
    if (busy) return;
    const taken = channel.notify(codec.decodeNotice('notifications/progress', params));
    if (taken === undefined) return;
    busy = true;
    taken.then(free, free);
  };
}

const failed = (of: Failure): Outcome => ({ kind: 'failed', failure: of });

/** Whoever aborts may say why with a `Refusal`: a timeout does. */
function abortFailure(signal: AbortSignal, sent: Failure['sent']): Failure {
  const reason: unknown = signal.reason;
  return reason instanceof Refusal ? { ...reason.failure, sent } : failure('cancelled', { sent });
}

const tooLarge = (bytes: number, maxLineBytes: number): Failure =>
  failure('result-too-large', {
    sent: 'yes',
    message: `The server's answer has ${bytes} bytes; the gateway holds at most ${maxLineBytes} bytes of one answer.`,
  });

const notReading = (): Failure =>
  failure('overloaded', { message: 'The server does not read its requests fast enough. Try again shortly.' });
