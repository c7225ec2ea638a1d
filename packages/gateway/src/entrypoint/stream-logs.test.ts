/** What is kept for clients that lose their connection: bounded, the oldest first, and nobody else's to have. */

import { describe, expect, test } from 'vitest';

import { ResumableStream } from './resumable-stream.ts';
import { DEFAULT_RESUMPTION, eventsAfter, StreamLogs, type ResumptionLimits, type StreamLog } from './stream-logs.ts';

const ALICE = { principal: 'alice', session: 's1' };
const BOB = { principal: 'bob', session: 's2' };
/** Beside its data, as it is counted. */
const OVERHEAD = 256;

function setup(limits: Partial<ResumptionLimits> = {}) {
  const clock = { nowMs: 0 };
  let made = 0;
  const logs = new StreamLogs({
    limits: { ...DEFAULT_RESUMPTION, ...limits },
    clockMs: () => clock.nowMs,
    randomBytes: (bytes) => new Uint8Array(bytes).fill((made += 1)),
  });
  const open = (owner = ALICE): StreamLog => {
    const log = logs.open(owner);
    if (log === undefined) throw new Error('no room');
    return log;
  };
  const stream = (log: StreamLog): ResumableStream =>
    new ResumableStream({ logs, log, revision: '2025-11-25', failed: ({ code }) => code });
  return { clock, logs, open, stream };
}

const keptOf = (log: StreamLog): unknown[] => [...eventsAfter(log, 0)].map(({ data }) => data);

describe('what is kept of streams', () => {
  test('is bounded for each of them, the oldest event going first', () => {
    const { logs, open } = setup({ maxBytesPerStream: 2 * (OVERHEAD + 1) });
    const [one, other] = [open(), open()];
    for (const data of ['a', 'b', 'c']) logs.add(one, data);
    logs.add(other, 'x');
    expect([keptOf(one), keptOf(other)]).toEqual([['b', 'c'], ['x']]);
  });

  test('is bounded for each caller and in all, the oldest event of any stream going first', () => {
    const { logs, open } = setup({ maxBytesPerPrincipal: 2 * (OVERHEAD + 1), maxBytes: 3 * (OVERHEAD + 1) });
    const [one, other, bobs] = [open(), open(), open(BOB)];
    for (const [log, data] of [
      [one, 'a'],
      [bobs, 'x'],
      [other, 'b'],
      [one, 'c'],
      [bobs, 'y'],
    ] as const)
      logs.add(log, data);
    expect([keptOf(one), keptOf(other), keptOf(bobs)]).toEqual([['c'], ['b'], ['y']]);
    expect(logs.bytes).toBe(3 * (OVERHEAD + 1));
  });

  test('is given back when its time is over, and with its session', () => {
    const { logs, open } = setup();
    const [one, bobs] = [open(), open(BOB)];
    logs.add(one, 'a');
    logs.add(bobs, 'x');
    logs.endSession('s2');
    expect(logs.size).toBe(1);
    expect(logs.bytes).toBe(OVERHEAD + 1);
    // Its call goes on, for nobody.
    logs.add(bobs, 'y');
    expect(logs.bytes).toBe(OVERHEAD + 1);
    logs.close();
    expect([logs.size, logs.bytes]).toEqual([0, 0]);
  });

  test('makes room for a new stream only where an old one has ended', () => {
    const { logs, open } = setup({ maxStreams: 2 });
    const one = open();
    open();
    expect(logs.open(ALICE)).toBeUndefined();
    logs.ended(one);
    expect(logs.open(ALICE)).toBeDefined();
    expect(logs.size).toBe(2);
    logs.close();
  });
});

describe('an event id', () => {
  test('is good for the session of its stream, as far as its events are kept', () => {
    const { logs, open, stream } = setup({ maxBytesPerStream: 2 * (OVERHEAD + 1) });
    const log = open();
    const written = stream(log);
    const ids = ['a', 'b', 'c'].map((data) => logs.add(log, data));
    expect(logs.find(ids[1] ?? '', ALICE)).toEqual({ ok: true, value: { stream: written, after: 2 } });
    const altered = `${ids[0]?.slice(0, -3)}A.1`;
    for (const [id, owner, why] of [
      [ids[1] ?? '', BOB, /another session/],
      [ids[1] ?? '', { ...ALICE, session: 's3' }, /another session/],
      [`${log.name}.0`, ALICE, /not kept/],
      [`${log.name}.4`, ALICE, /never given/],
      [`${log.name}.-1`, ALICE, /no stream/],
      [altered, ALICE, /no stream/],
      ['', ALICE, /no stream/],
      ['x'.repeat(5_000), ALICE, /no stream/],
    ] as const) {
      expect(logs.find(id, owner)).toMatchObject({ ok: false, error: expect.stringMatching(why) as unknown });
    }
  });
});

describe('a stream that nobody reads', () => {
  test('keeps a result whole, and in the place of one that is too large or broke off an answer that says so', async () => {
    const { open, stream } = setup({ maxBytesPerStream: 2_000 });
    async function* pieces(count: number, breaks: boolean): AsyncGenerator<Uint8Array> {
      for (let piece = 0; piece < count; piece += 1) yield Buffer.from('y'.repeat(100));
      if (breaks) throw new Error('gone');
    }
    const told = async (count: number, breaks = false): Promise<readonly string[]> => {
      const log = open();
      await stream(log).message({ chunks: ['x'], rest: pieces(count, breaks) });
      return keptOf(log).map((data) => Buffer.from(data as Uint8Array).toString('utf8'));
    };
    expect(await told(3)).toEqual([`x${'y'.repeat(300)}`]);
    expect(await told(1_000)).toEqual(['result-too-large']);
    expect(await told(3, true)).toEqual(['upstream-closed']);
  });
});
