import { describe, expect, test } from 'vitest';

import { createStreamSlots } from './stream-slots.ts';

describe('createStreamSlots', () => {
  test('bounds the streams of one caller without touching the others', () => {
    const slots = createStreamSlots({ maxStreams: 10, maxStreamsPerPrincipal: 2 });
    const giveBack = slots.take('alice');
    expect(slots.take('alice')).toBeDefined();
    expect(slots.take('alice')).toBeUndefined();
    expect(slots.take('bob')).toBeDefined();
    giveBack?.();
    expect(slots.take('alice')).toBeDefined();
  });

  test('bounds all streams together', () => {
    const slots = createStreamSlots({ maxStreams: 2, maxStreamsPerPrincipal: 2 });
    slots.take('alice');
    slots.take('bob');
    expect(slots.take('carol')).toBeUndefined();
  });

  test('takes a slot back once', () => {
    const slots = createStreamSlots({ maxStreams: 2, maxStreamsPerPrincipal: 2 });
    const giveBack = slots.take('alice');
    slots.take('alice');
    giveBack?.();
    giveBack?.();
    expect(slots.taken).toBe(1);
  });

  test('are given from a stream whose client is away to one that is there', () => {
    const slots = createStreamSlots({ maxStreams: 10, maxStreamsPerPrincipal: 2 });
    const stream = (isAway: boolean) => {
      const made = { isAway, ended: false, giveBack: undefined as (() => void) | undefined };
      made.giveBack = slots.take('alice', () => ({
        isAway: made.isAway,
        end: () => {
          made.ended = true;
          made.giveBack?.();
        },
      }));
      return made;
    };
    const [here, away] = [stream(false), stream(true)];
    expect(slots.take('alice')).toBeDefined();
    expect([here.ended, away.ended, slots.taken]).toEqual([false, true, 2]);
    expect(slots.take('alice')).toBeUndefined();
    expect(slots.take('bob')).toBeDefined();
  });
});
