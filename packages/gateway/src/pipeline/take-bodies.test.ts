import { describe, expect, it } from 'vitest';

import type { Bodies, TakenBodies } from '../audit/bodies.ts';
import type { Outcome, UpstreamMessage } from '../model/outcome.ts';
import { AGGREGATE, callTool, worldOf, type World } from './pipeline.fixture.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const read = ({ result }: TakenBodies): string =>
  result !== undefined && 'bytes' in result ? new TextDecoder().decode(result.bytes) : JSON.stringify(result);

const HEAD = '{"jsonrpc":"2.0","id":1,"result":';

function message(head: string, rest?: AsyncIterable<Uint8Array>): Outcome {
  const made: UpstreamMessage = {
    era: 'modern',
    head: text(HEAD + head),
    ...(rest === undefined ? { resultEnd: HEAD.length + head.length } : { rest }),
    id: { start: 21, end: 22 },
    resultStart: HEAD.length,
    members: new Map(),
  };
  return { kind: 'complete', result: { kind: 'message', message: made } };
}

function keeping(resultBytes: number, outcome: Outcome): World & { readonly kept: TakenBodies[] } {
  const kept: TakenBodies[] = [];
  const bodies: Bodies = {
    wants: (tool) => (tool.name === 'read' ? { resultBytes } : undefined),
    keep: (taken) => void kept.push(taken),
  };
  return { ...worldOf({ bodies, send: () => Promise.resolve(outcome) }), kept };
}

async function drained(outcome: Outcome): Promise<string> {
  if (outcome.kind !== 'complete' || outcome.result.kind !== 'message') throw new Error('no message');
  let all = '';
  for await (const chunk of outcome.result.message.rest ?? []) all += new TextDecoder().decode(chunk);
  return all;
}

async function* chunks(...parts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) yield text(part);
}

describe('bodies of calls', () => {
  it('are taken of a result that came whole, and of one that the gateway made', async () => {
    const whole = keeping(100, message('{"content":[]}'));
    await whole.handle(callTool('read', { path: 'a' }));
    expect(whole.kept).toMatchObject([
      { arguments: { path: 'a' }, result: { whole: true }, principal: { name: 'alice' } },
    ]);
    expect(whole.kept.map(read)).toEqual(['{"content":[]}']);
    expect(whole.events.at(-1)).toMatchObject({ bodies: true });
    const made = keeping(100, { kind: 'complete', result: { kind: 'value', value: { a: 1 } } });
    await made.handle(callTool('read'));
    expect(made.kept.map(read)).toEqual(['{"value":{"a":1}}']);
  });

  it('are copied of a result that streams, as far as they are wanted, and the stream goes on as it was', async () => {
    const world = keeping(10, message('{"a":', chunks('"12345', '67890', 'abc"}}')));
    const { outcome } = await world.handle(callTool('read'));
    expect(world.kept).toEqual([]);
    expect(await drained(outcome)).toBe('"1234567890abc"}}');
    expect(world.kept.map(read)).toEqual(['{"a":"12345']);
  });

  it('are kept as far as they came when the stream breaks off, or nobody reads on', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield text('"12');
      throw new Error('gone');
    }
    const world = keeping(100, message('{"a":', broken()));
    const { outcome } = await world.handle(callTool('read'));
    await expect(drained(outcome)).rejects.toThrow('gone');
    expect(world.kept.map(read)).toEqual(['{"a":"12']);
  });

  it('are the arguments alone of a call that failed, or of which no result is wanted', async () => {
    const failed = keeping(100, { kind: 'failed', failure: { code: 'upstream-closed', sent: 'yes' } });
    await failed.handle(callTool('read', { path: 'a' }));
    expect(failed.kept).toMatchObject([{ arguments: { path: 'a' } }]);
    expect(failed.kept[0]).not.toHaveProperty('result');
    const unwanted = keeping(0, message('{}'));
    await unwanted.handle(callTool('read'));
    expect(unwanted.kept[0]).not.toHaveProperty('result');
  });

  it('are not taken of other tools, of what is no call, and of nobody', async () => {
    const world = keeping(100, message('{}'));
    await world.handle(callTool('pay', { amount: 1 }));
    await world.handle({ kind: 'list', of: 'tools' }, { endpoint: AGGREGATE });
    await world.handle(callTool('read'), { presented: {} });
    expect(world.kept).toEqual([]);
    expect(world.events.some((event) => 'bodies' in event)).toBe(false);
  });
});
