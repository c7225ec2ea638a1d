import { mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { printOf, watchPolicies, type Delay, type PolicyWatch, type PolicyWatchOptions } from './policy-watch.ts';

const QUICK = { pollMs: 5, settleMs: 5, patienceMs: 60 };

/** A watch on files that are a text of the test's. */
function watching(given: Partial<PolicyWatchOptions> = {}) {
  const files = { print: 'one' };
  const inForce: string[] = [];
  const delays: Delay[] = [];
  const watch = watchPolicies({
    watched: () => ({ file: '/nowhere/sallyport.yaml', places: [] }),
    read: () => {
      const { print } = files;
      return () => void inForce.push(print);
    },
    delayed: (why) => void delays.push(why),
    print: () => Promise.resolve(files.print),
    timing: QUICK,
    ...given,
  });
  open.push(watch);
  return { files, inForce, delays, watch };
}

const open: PolicyWatch[] = [];
afterEach(() => {
  for (const watch of open.splice(0)) watch.close();
});

const eventually = (what: () => void): Promise<void> => vi.waitFor(what, { timeout: 10_000, interval: 5 });

describe('files that change', () => {
  it('are read at first, because they may have changed since the start read them, and then when they differ', async () => {
    const { files, inForce } = watching();
    await eventually(() => expect(inForce).toEqual(['one']));
    files.print = 'two';
    await eventually(() => expect(inForce).toEqual(['one', 'two']));
  });

  it('are not read before they are left alone, which is said when it takes long', async () => {
    let writes = 0;
    const growing = { stop: false };
    const { inForce, delays } = watching({
      print: () => Promise.resolve(growing.stop ? 'whole' : `part ${(writes += 1)}`),
    });
    await eventually(() => expect(delays).toEqual(['still-changing']));
    expect(inForce).toEqual([]);
    growing.stop = true;
    await eventually(() => expect(inForce).toEqual(['one']));
  });

  it('are read once more when they change while they are read', async () => {
    const { files, inForce } = watching({
      read: () => {
        const seen = files.print;
        if (seen === 'one') files.print = 'two';
        return () => void inForce.push(seen);
      },
    });
    await eventually(() => expect(inForce).toEqual(['two']));
  });

  it('are read again on demand, changed or not', async () => {
    const { inForce, watch } = watching();
    await watch.reload();
    await watch.reload();
    expect(inForce).toEqual(['one', 'one']);
  });
});

describe('files that do not answer', () => {
  it('are asked once, not again and again, and read when they do answer', async () => {
    const answer = Promise.withResolvers<string>();
    let asked = 0;
    const { inForce, delays } = watching({
      print: () => {
        asked += 1;
        return asked === 1 ? answer.promise : Promise.resolve('back');
      },
    });
    await eventually(() => expect(delays).toEqual(['no-answer']));
    await pause(QUICK.patienceMs);
    expect(asked).toBe(1);
    answer.resolve('back');
    await eventually(() => expect(inForce).toEqual(['one']));
  });

  it('keep nobody waiting once the watch is closed', async () => {
    const { watch } = watching({ print: () => new Promise(() => undefined) });
    const reload = watch.reload();
    watch.close();
    await reload;
    await watch.reload();
  });
});

describe('the print of files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'sallyport-print-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const file = (name: string): string => path.join(folder, name);
  const print = (): Promise<string> => printOf({ file: file('sallyport.yaml'), places: [folder] });

  it('differs after every change that matters, one that keeps length and time included', async () => {
    const seen = [await print()];
    const look = async (change: () => void): Promise<void> => {
      change();
      seen.push(await print());
    };
    await look(() => writeFileSync(file('sallyport.yaml'), 'policies: []'));
    await look(() => writeFileSync(file('a.cedar'), 'one'));
    await pause(15);
    await look(() => {
      writeFileSync(file('a.cedar'), 'two');
      utimesSync(file('a.cedar'), 1, 1);
    });
    await pause(15);
    await look(() => {
      writeFileSync(file('a.cedar'), 'six');
      utimesSync(file('a.cedar'), 1, 1);
    });
    await look(() => symlinkSync('a.cedar', file('b.cedar')));
    await look(() => rmSync(file('b.cedar')));
    expect(new Set(seen.slice(0, -1)).size).toBe(seen.length - 1);
  });

  it('is of a folder that is gone, too', async () => {
    expect(await printOf({ file: file('none'), places: [file('gone')] })).toContain('ENOENT');
  });
});
