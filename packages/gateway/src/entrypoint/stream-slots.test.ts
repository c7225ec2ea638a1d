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
});
