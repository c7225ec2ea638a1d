import { expect, test } from 'vitest';
import { noteStreamed } from './stream-garbage.ts';

test('buffers that have been streamed past do not pile up', () => {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  for (let index = 0; index < 4000; index += 1) {
    noteStreamed(new Uint8Array(64 * 1024).length);
    if (index % 100 === 0) peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  }
  expect(peak).toBeLessThan(40 * 1024 * 1024);
});
