import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createFileAuditFeed } from './file-audit-feed.ts';
import { recordLines } from './record-lines.fixture.ts';
import type { Found } from './search.ts';
import { segmentPath } from './segments.ts';

const NOON = 1_790_000_000_000;
const text = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join('');
const ignore = (): void => undefined;
const logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'audit-feed-'));
  file = path.join(folder, 'audit.jsonl');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A feed that looks when the test says so. */
function feedOf(maxFollowers = 2) {
  const due: (() => void)[] = [];
  const after = (_delayMs: number, task: () => void) => {
    due.push(task);
    return () => void due.splice(due.indexOf(task), 1);
  };
  const feed = createFileAuditFeed({ path: file, logger, after, maxFollowers });
  const idle = async (): Promise<void> => {
    while (due.length === 0) await turn();
  };
  return {
    feed,
    due,
    idle,
    async look() {
      await idle();
      due.shift()?.();
      await idle();
    },
  };
}

const idsInto =
  (ids: string[]) =>
  ({ record }: Found): void =>
    void ids.push(record.requestId);

describe('the record as it grows', () => {
  it('brings what comes from now on and matches, without intents', async () => {
    const record = recordLines();
    record.outcome({ id: 'before', timeMs: NOON });
    await writeFile(file, text(record.lines));
    const { feed, look, idle } = feedOf();
    const [all, acme]: [string[], string[]] = [[], []];
    feed.follow({}, idsInto(all));
    feed.follow({ onlyTenant: 'acme' }, idsInto(acme));
    await idle();
    const intent = record.intent({ id: 'a', timeMs: NOON });
    record.outcome({ id: 'a', timeMs: NOON, intent });
    record.outcome({ id: 'b', timeMs: NOON, tenant: 'acme' });
    await appendFile(file, text(record.lines.slice(1)));
    await look();
    expect([all, acme]).toEqual([['a', 'b'], ['b']]);
    await feed.close();
  });

  it('misses nothing that is written while it opens the file, and takes a line whole that was half there', async () => {
    const record = recordLines();
    record.outcome({ id: 'half', timeMs: NOON });
    record.outcome({ id: 'next', timeMs: NOON });
    const [half = ''] = record.lines;
    await writeFile(file, half.slice(0, 100));
    const { feed, look, idle } = feedOf();
    const ids: string[] = [];
    feed.follow({}, idsInto(ids));
    await appendFile(file, `${half.slice(100)}\n${text(record.lines.slice(1))}`);
    await idle();
    await look();
    expect(ids).toEqual(['half', 'next']);
    await feed.close();
  });

  it('goes on in the next file after a rotation, and reads the old one to its end first', async () => {
    const record = recordLines();
    record.outcome({ id: 'a', timeMs: NOON });
    await writeFile(file, text(record.lines));
    const { feed, look, idle } = feedOf();
    const ids: string[] = [];
    feed.follow({}, idsInto(ids));
    await idle();
    for (const id of ['b', 'c']) record.outcome({ id, timeMs: NOON });
    await appendFile(file, text(record.lines.slice(1, 2)));
    await rename(file, segmentPath(file, 1));
    await writeFile(file, text(record.lines.slice(2)));
    await look();
    expect(ids).toEqual(['b', 'c']);
    await feed.close();
  });

  it('is for so many at a time, reads nothing for nobody, and begins anew for the next', async () => {
    const record = recordLines();
    await writeFile(file, '');
    const { feed, due, look, idle } = feedOf(1);
    const stop = feed.follow({}, ignore);
    expect(feed.follow({}, ignore)).toBeUndefined();
    await idle();
    stop?.();
    due.shift()?.();
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(due).toEqual([]);

    record.outcome({ id: 'unseen', timeMs: NOON });
    await appendFile(file, text(record.lines));
    const ids: string[] = [];
    expect(feed.follow({}, idsInto(ids))).toBeDefined();
    record.outcome({ id: 'seen', timeMs: NOON });
    await appendFile(file, text(record.lines.slice(1)));
    await idle();
    await look();
    expect(ids).toEqual(['seen']);
    await feed.close();
    expect(feed.follow({}, ignore)).toBeUndefined();
  });
});
