/** Log messages of a process name no request: they reach a call only where they can be nobody else's. */

import { describe, expect, it } from 'vitest';

import { manualClock } from '../testing/test-kit.ts';
import { LogMessages, type LogTaker } from './log-messages.ts';

function setup({ isShared = false } = {}) {
  const clock = manualClock();
  let dropped = 0;
  const messages = new LogMessages({ clock, isShared, dropped: () => (dropped += 1) });
  return { clock, messages, dropped: () => dropped };
}

function taker(): LogTaker & { readonly heard: unknown[] } {
  const heard: unknown[] = [];
  return { heard, logged: ({ data }) => void heard.push(data) };
}

describe('a log message of a process', () => {
  it('is that of the only call', () => {
    const { messages, dropped } = setup();
    const call = taker();
    messages.enter(call);
    messages.heard({ data: 'a' });
    expect([call.heard, dropped()]).toEqual([['a'], 0]);
  });

  it('is nobody’s between calls, and when two are at work', () => {
    const { messages, dropped } = setup();
    const [one, two] = [taker(), taker()];
    messages.heard({ data: 'a' });
    messages.enter(one);
    messages.enter(two);
    messages.heard({ data: 'b' });
    messages.leave(one, true);
    messages.heard({ data: 'c' });
    expect([one.heard, two.heard, dropped()]).toEqual([[], ['c'], 2]);
  });

  it('is nobody’s in a process that several people share', () => {
    const { messages, dropped } = setup({ isShared: true });
    const call = taker();
    messages.enter(call);
    messages.heard({ data: 'a' });
    expect([call.heard, dropped()]).toEqual([[], 1]);
  });

  it('is nobody’s for a while after a call was cancelled, because it may be that call’s', async () => {
    const { messages, clock, dropped } = setup();
    const [left, call] = [taker(), taker()];
    messages.enter(left);
    messages.leave(left, false);
    messages.enter(call);
    messages.heard({ data: 'a' });
    await clock.advance(10_000);
    messages.heard({ data: 'b' });
    expect([call.heard, dropped()]).toEqual([['b'], 1]);
  });
});
