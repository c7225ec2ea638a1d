import { afterEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../../model/outcome.ts';
import { call, endAll, failureOf, scripted, toolText } from '../testing/stdio-servers.ts';
import { callTool, collectNotices, sendOptions } from '../testing/test-kit.ts';

afterEach(endAll);

describe('calls through one process', () => {
  it('are answered while a slow one goes on, hundreds at a time', async () => {
    const upstream = await scripted().connect();
    let slowIsDone = false;
    const slow = toolText(call(upstream, 'slow', { ms: 1500 })).finally(() => {
      slowIsDone = true;
    });
    const texts = Array.from({ length: 300 }, (_, index) => `text ${index}`);
    expect(await Promise.all(texts.map((text) => toolText(call(upstream, 'echo', { text }))))).toEqual(texts);
    expect(slowIsDone).toBe(false);
    expect(await slow).toBe('late');
  });

  it('survive garbage on standard output, which is logged without its end', async () => {
    const { connect, log } = scripted();
    const upstream = await connect();
    expect(await toolText(call(upstream, 'garbage', { text: 'fine' }))).toBe('fine');
    const told = log.lines.filter(({ level }) => level === 'warn');
    expect(told.map(({ fields }) => fields['strayLines'])).toEqual([1, 2, 4, 8]);
    expect(told[0]?.fields).toMatchObject({ bytes: 28, begins: '"Listening for requests! 🎉"' });
  });

  it('are answered in a batch as well', async () => {
    const upstream = await scripted().connect();
    expect(await toolText(call(upstream, 'batch'))).toBe('from a batch');
  });

  it('hear the error of the server', async () => {
    const upstream = await scripted().connect();
    expect(await failureOf(call(upstream, 'fails'))).toMatchObject({
      code: 'upstream-error',
      sent: 'yes',
      upstream: { code: -32050, message: 'Out of paper.', data: { tray: 2 } },
    });
  });

  it('get their own progress and nobody else’s messages', async () => {
    const upstream = await scripted().connect();
    const mine = collectNotices(true);
    const others = collectNotices(true);
    const waiting = upstream.send(callTool('slow', { ms: 200 }), sendOptions({ channel: others }));
    expect(await toolText(upstream.send(callTool('progress'), sendOptions({ channel: mine })))).toBe('done');
    expect(mine.notices.map(({ kind, params }) => [kind, params['progress']])).toEqual([
      ['progress', 1],
      ['progress', 2],
    ]);
    await waiting;
    expect(others.notices).toEqual([]);
  });

  it('hear nothing under a token that the server made up, or that has had its answer', async () => {
    const upstream = await scripted().connect();
    const [before, mine] = [collectNotices(true), collectNotices(true)];
    await toolText(upstream.send(callTool('echo', { text: 'a' }), sendOptions({ channel: before })));
    expect(await toolText(upstream.send(callTool('inventsTokens'), sendOptions({ channel: mine })))).toBe('done');
    // What the server wrote behind its answer has arrived by then.
    await toolText(call(upstream, 'echo', { text: 'b' }));
    expect([before.notices, mine.notices]).toEqual([[], []]);
  });

  it('ask for no progress that nobody wants', async () => {
    const upstream = await scripted().connect();
    expect(await toolText(call(upstream, 'progress'))).toBe('no token');
  });

  it('let the server ping us, and refuse what needs a person', async () => {
    const upstream = await scripted().connect();
    expect(await toolText(call(upstream, 'asks'))).toBe('{} -32601');
  });

  it('tell the server when they are cancelled', async () => {
    const upstream = await scripted().connect();
    const leaving = new AbortController();
    const mute = upstream.send(callTool('mute'), sendOptions({ signal: leaving.signal }));
    await call(upstream, 'echo', { text: 'the mute call was written before this one' });
    leaving.abort();
    expect(await failureOf(mute)).toMatchObject({ code: 'cancelled', sent: 'maybe' });
    expect(JSON.parse(await toolText(call(upstream, 'cancelled')))).toHaveLength(1);
  });

  it('are never sent when they were cancelled before', async () => {
    const upstream = await scripted().connect();
    const leaving = new AbortController();
    const mute = upstream.send(callTool('mute'), sendOptions({ signal: leaving.signal }));
    leaving.abort();
    expect(await failureOf(mute)).toMatchObject({ code: 'cancelled', sent: 'no' });
    // The probe, initialize, initialized and this call.
    expect(await toolText(call(upstream, 'received'))).toBe('4');
  });

  const HUGE: readonly (readonly [string, string])[] = [
    ['last', 'huge'],
    ['first', 'hugeIdFirst'],
  ];
  it.each(HUGE)('fail alone when their answer is too long, its id %s', async (_where, tool) => {
    const upstream = await scripted([], { limits: { maxLineBytes: 100_000 } }).connect();
    const [huge, echo] = await Promise.all([
      failureOf(call(upstream, tool, { bytes: 1_000_000 })),
      toolText(call(upstream, 'echo', { text: 'small' })),
    ]);
    expect(huge).toMatchObject({ code: 'result-too-large', message: expect.stringContaining('at most 100000 bytes') });
    expect(echo).toBe('small');
  });

  it('carry a large answer whole', async () => {
    const upstream = await scripted().connect();
    expect(await toolText(call(upstream, 'huge', { bytes: 5_000_000 }))).toHaveLength(5_000_000);
  });

  it('wait for a process that does not read, and are refused when too much waits', async () => {
    const upstream = await scripted([], { limits: { maxQueuedCharacters: 1_000_000 } }).connect();
    void call(upstream, 'deaf', { ms: 700 });
    const text = 'x'.repeat(200_000);
    const outcomes: Promise<Outcome>[] = [];
    for (let round = 0; round < 20; round += 1) {
      outcomes.push(call(upstream, 'echo', { text }));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const settled = await Promise.all(outcomes);
    const refused = settled.filter((outcome) => outcome.kind === 'failed').map((outcome) => outcome.failure.code);
    expect(new Set(refused)).toEqual(new Set(['overloaded']));
    expect(settled.length - refused.length).toBeGreaterThan(4);
  });
});
