import { describe, expect, it } from 'vitest';

import { parseMonth } from '../model/month.ts';
import { recordLines } from './record-lines.fixture.ts';
import { createUsageReader, type UsageReaderOptions } from './usage-reader.ts';

const month = parseMonth('2026-10');
if (!month.ok) throw new Error('2026-10');
const OCTOBER = month.value;
const NEVER = new AbortController().signal;

const record = recordLines();
for (const id of ['a', 'b']) record.outcome({ id, timeMs: OCTOBER.sinceMs });

function readerOf(more: Partial<UsageReaderOptions> = {}) {
  const read = { times: 0 };
  async function* lines() {
    read.times += 1;
    yield* record.lines;
  }
  return { read, usage: createUsageReader({ reader: { lines }, now: () => OCTOBER.untilMs, ...more }) };
}

describe('usage that is asked for', () => {
  it('is counted once for a month that is over', async () => {
    const { read, usage } = readerOf({ now: () => OCTOBER.untilMs + 48 * 3_600_000 });
    const asked = { month: OCTOBER, by: 'server' } as const;
    expect((await usage.usage(asked, NEVER)).total.invocations).toBe(2);
    expect((await usage.usage(asked, NEVER)).total.invocations).toBe(2);
    expect(read.times).toBe(1);
    expect((await usage.usage({ ...asked, tenant: 'acme' }, NEVER)).total.invocations).toBe(0);
  });

  it('is counted anew while the month goes on', async () => {
    const { read, usage } = readerOf();
    for (let times = 0; times < 2; times++) await usage.usage({ month: OCTOBER, by: 'tool' }, NEVER);
    expect(read.times).toBe(2);
  });

  it('is counted for one at a time, no further than may be, and for nobody who has left', async () => {
    const { usage } = readerOf();
    const asked = { month: OCTOBER, by: 'tool' } as const;
    const running = usage.usage(asked, NEVER);
    await expect(usage.usage(asked, NEVER)).rejects.toMatchObject({ failure: { code: 'overloaded' } });
    await running;
    await expect(usage.usage(asked, AbortSignal.abort())).rejects.toMatchObject({ failure: { code: 'cancelled' } });
    const small = readerOf({ maxChars: 100 }).usage;
    await expect(small.usage(asked, NEVER)).rejects.toThrow('sallyport usage --month 2026-10');
  });
});
