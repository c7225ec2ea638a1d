import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { startCollector } from '../../../../test/fixtures/record-collector.ts';
import { NO_POSTGRES, startPostgres } from '../../../../test/harness/postgres.ts';
import { until } from '../../../../test/harness/until.ts';
import { openAppendFile } from '../audit/append-file.ts';
import { segmentsOf } from '../audit/segments.ts';
import { outcome, tool } from '../audit/testing.ts';
import { loadConfig } from '../config/load.ts';
import { createEgress } from '../egress/egress.ts';
import { collectedLog } from '../storage/sql/fixtures/collected-log.ts';
import { createInstruments } from '../telemetry/otel-instruments.ts';
import { openAudit } from './audit.ts';
import { composeAuditSinks } from './audit-sinks.ts';
import { composeSecrets } from './secrets.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

function newFolder(): string {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-audit-sinks-'));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A gateway's record and its sinks, and nothing else of it. */
async function open(folder: string, audit: string, storage = 'sqlite:./sallyport.db') {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, `storage: { url: "${storage}" }\naudit: { file: ./audit.jsonl, ${audit} }\n`);
  const loaded = loadConfig(file, { env: {} });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const { logger, lines } = collectedLog();
  const [egress, instruments] = [createEgress(), createInstruments({ version: '1' })];
  const { config } = loaded.value;
  const sinks = await composeAuditSinks({
    config,
    secrets: composeSecrets({ config, env: {}, logger }),
    logger,
    egress,
    instruments,
  });
  const log = await openAudit({
    config: config.audit,
    logger,
    instruments,
    redactText: (value) => ({ value, rules: [] }),
    open: sinks.watching(openAppendFile),
    mayDelete: (segment) => sinks.mayDelete(segment),
  });
  sinks.start(() => log.tail()?.sequence ?? 0);
  let closed = false;
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    await log.close();
    await sinks.close();
    await instruments.close();
    await egress.close();
  };
  cleanups.push(close);
  return { sinks, log, lines, instruments, close };
}

const call = (id: string, timeMs: number, readOnly = true) => {
  const event = outcome(id, { entry: tool('read', readOnly) });
  return { ...event, request: { ...event.request, receivedAtMs: timeMs } };
};

describe('the sinks of a gateway', () => {
  it('index what is written, tell how far they are, and hold on to the file until then', async () => {
    const { sinks, log, instruments } = await open(newFolder(), 'index: {}');
    expect(sinks.lowestPosition()).toBe(0);
    for (let count = 0; count < 10; count += 1) log.append(call(`r-${count}`, Date.now()));
    await until('all of it to be indexed', () => sinks.lowestPosition() === 11);
    const page = await sinks.reader?.search({ request: 'r-7' }, { limit: 10 });
    expect(page?.found).toMatchObject([{ record: { sequence: 9, who: 'alice' } }]);
    expect(sinks.status()).toMatchObject([{ name: 'index', state: 'current', sequence: 11, lagRecords: 0 }]);
    expect(sinks.mayDelete({ path: '', first: 1 })).toBe(false);
    const metrics = await instruments.text();
    for (const name of ['lag_records', 'lag_seconds', 'failures_total', 'rejected_total', 'missed_total']) {
      expect(metrics).toMatch(new RegExp(String.raw`^sallyport_audit_sink_${name}\{[^}]*sink="index"[^}]*\} 0$`, 'mu'));
    }
  });

  it('delete old records from the index by their class, and leave the files as they are', async () => {
    const folder = newFolder();
    const first = await open(folder, 'index: { keep: { reads: forever } }');
    const old = Date.now() - 3 * 3_600_000;
    for (let count = 0; count < 300; count += 1) first.log.append(call(`r-${count}`, old));
    first.log.append(call('r-change', old, false));
    first.log.append(call('r-new', Date.now()));
    await until('all of it to be indexed', () => first.sinks.lowestPosition() === 303);
    await first.close();
    const { sinks } = await open(folder, 'index: { keep: { reads: 1h } }');
    const left = async (): Promise<readonly string[]> => {
      const page = await sinks.reader?.search({ tool: 'files/*' }, { limit: 1000 });
      return page?.found.map(({ record }) => record.requestId) ?? [];
    };
    expect(
      await until('the old ones to be gone', async () => ((await left()).length < 3 ? left() : undefined)),
    ).toEqual(expect.arrayContaining(['r-new', 'r-change']));
    expect(sinks.status()).toMatchObject([{ missed: 0 }]);
  });

  it('are none where nothing is asked for: SQLite has no index by itself, and memory never', async () => {
    const { sinks } = await open(newFolder(), 'sinks: []');
    expect(sinks.reader).toBeUndefined();
    expect(sinks.lowestPosition()).toBe(Infinity);
    expect(sinks.mayDelete({ path: '', first: 1 })).toBe(true);
    const { sinks: none, lines } = await open(newFolder(), 'index: {}', 'memory:');
    expect(none.status()).toEqual([]);
    expect(lines.join()).toContain('there is no audit index');
  });

  it('keep old files from being deleted before they have them', async () => {
    const collector = await startCollector();
    cleanups.push(() => collector.close());
    await collector.behave('gone');
    const folder = newFolder();
    const settings = `rotate: { size: 4KiB }, keep: 1ms, sinks: [{ kind: http, url: "${collector.url}" }]`;
    const { sinks, log } = await open(folder, settings);
    const file = path.join(folder, 'audit.jsonl');
    const fill = async (files: number): Promise<void> => {
      const wanted = (await segmentsOf(file)).length + files;
      for (let count = 0; (await segmentsOf(file)).length < wanted; count += 1) {
        log.append(call(`r-${count}`, Date.now()));
        await log.durable();
      }
    };
    await fill(4);
    await until('a failure', () => sinks.status()[0]?.state === 'failing');
    expect((await segmentsOf(file))[0]).toMatchObject({ first: 1 });
    await collector.behave('takes');
    await until('everything to be there', () => sinks.lowestPosition() === log.tail()?.sequence);
    await until('the old files to be gone', async () => {
      log.append(call('r', Date.now()));
      await log.durable();
      return (await segmentsOf(file))[0]?.first !== 1;
    });
    expect(sinks.status()).toMatchObject([{ missed: 0 }]);
  });

  it('hold nothing up when they are away from the start', async () => {
    const settings =
      'sinks: [{ kind: http, url: "http://127.0.0.1:1/", headers: { Authorization: "Bearer env:NOT_SET" } }]';
    const { sinks, log, close } = await open(newFolder(), settings);
    log.append(call('r-1', Date.now()));
    await until('a failure', () => sinks.status()[0]?.state === 'failing');
    expect(sinks.status()).toMatchObject([{ name: 'http', reason: expect.stringContaining('env:NOT_SET is not set') }]);
    expect(sinks.lowestPosition()).toBe(0);
    await close();
  });

  it.skipIf(NO_POSTGRES !== undefined)(
    'of two gateways write one index in PostgreSQL, by themselves, and go on when it was away',
    { timeout: 120_000 },
    async () => {
      const postgres = await startPostgres();
      cleanups.push(() => postgres.close());
      const url = await postgres.createDatabase();
      const gateways = [await open(newFolder(), '', url), await open(newFolder(), '', url)];
      const append = (from: number): void => {
        for (const [index, { log }] of gateways.entries())
          for (let count = 0; count < 50; count += 1) log.append(call(`r-${index}-${from + count}`, Date.now()));
      };
      append(0);
      await until('all of it', () => gateways.every(({ sinks }) => sinks.lowestPosition() === 51), 60_000);
      await postgres.stop();
      append(50);
      await until(
        'both to notice',
        () => gateways.every(({ sinks }) => sinks.status()[0]?.state === 'failing'),
        60_000,
      );
      await postgres.start();
      await until('the rest', () => gateways.every(({ sinks }) => sinks.lowestPosition() === 101), 60_000);
      for (const { sinks } of gateways) {
        const page = await sinks.reader?.search({ who: 'alice' }, { limit: 1000 });
        expect(page?.found).toHaveLength(200);
      }
    },
  );
});
