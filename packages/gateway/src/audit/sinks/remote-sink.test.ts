import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { startCollector, type Answer, type Delivery } from '../../../../../test/fixtures/record-collector.ts';
import { createEgress } from '../../egress/egress.ts';
import { DeliveryError } from './audit-sink.ts';
import type { FollowedRecord } from './followed-record.ts';
import { createHttpDelivery, type HttpFormat } from './http-delivery.ts';
import { retryAfterMs, type HttpTarget } from './http-post.ts';
import { createOtlpDelivery } from './otlp-logs.ts';
import { createRemoteSink } from './remote-sink.ts';
import { createSetAside } from './set-aside.ts';
import { readPosition } from './sink-position.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

const record = (sequence: number, text = 'x'): FollowedRecord => ({
  line: JSON.stringify({
    time: 1_790_000_000_123,
    metadata: { sequence, uid: `c-${sequence}` },
    unmapped: { event: 'outcome', text },
  }),
  timeMs: 1_790_000_000_123,
  position: { sequence, uid: `c-${sequence}`, file: 1, at: sequence * 10, missed: 0 },
});

type More = {
  readonly answer?: (delivery: Delivery) => Answer;
  readonly format?: HttpFormat | 'otlp';
  readonly compression?: 'gzip' | 'none';
  readonly maxAsideBytes?: number;
};

async function open({ answer, format = 'ndjson', compression = 'none', maxAsideBytes }: More = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-remote-'));
  const collector = await startCollector(answer);
  const egress = createEgress();
  cleanups.push(
    () => rmSync(folder, { recursive: true }),
    () => collector.close(),
    () => egress.close(),
  );
  const target: HttpTarget = {
    url: () => Promise.resolve(new URL(`${collector.url}/in`)),
    headers: () => Promise.resolve([['x-key', 'k']]),
    compression,
    timeoutMs: 10_000,
  };
  const rejections: number[] = [];
  const [positionFile, aside] = [path.join(folder, 'p'), path.join(folder, 'aside.jsonl')];
  const sink = createRemoteSink({
    name: 'siem',
    limits: { maxRecords: 512, maxBytes: 1_048_576, lingerMs: 1 },
    delivery:
      format === 'otlp'
        ? createOtlpDelivery(egress, target, { version: '1.2.3', instance: 'host-1', now: () => 1_790_000_000_500 })
        : createHttpDelivery(egress, target, format),
    positionFile,
    setAside: createSetAside(aside, () => 5, maxAsideBytes),
    onRejected: (count) => rejections.push(count),
  });
  const take = (...records: readonly FollowedRecord[]): Promise<void> =>
    sink.take({ records, bytes: 0 }, AbortSignal.timeout(20_000));
  const setAside = (): unknown[] =>
    readFileSync(aside, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line): unknown => JSON.parse(line));
  return { collector, sink, take, rejections, setAside, aside, position: () => readPosition(positionFile) };
}

const records = (from: number, to: number): FollowedRecord[] =>
  Array.from({ length: to - from + 1 }, (_, index) => record(from + index));

describe('a sink over HTTP', () => {
  it.each<[HttpFormat, string, (sent: readonly FollowedRecord[]) => string]>([
    ['ndjson', 'application/x-ndjson', (sent) => sent.map(({ line }) => `${line}\n`).join('')],
    ['json-array', 'application/json', (sent) => `[${sent.map(({ line }) => line).join(',')}]`],
    [
      'splunk-hec',
      'application/json',
      (sent) =>
        sent
          .map(
            ({ line }) => `{"time":1790000000.123,"source":"sallyport","sourcetype":"sallyport:audit","event":${line}}`,
          )
          .join('\n'),
    ],
  ])('sends %s as %s, with a key that tells a delivery that came twice', async (format, type, body) => {
    const { collector, take } = await open({ format });
    await take(...records(1, 3));
    expect(collector.taken).toEqual([expect.objectContaining({ path: '/in', body: body(records(1, 3)) })]);
    expect(collector.taken[0]?.headers).toMatchObject({
      'content-type': type,
      'idempotency-key': 'c-1..c-3',
      'x-key': 'k',
    });
  });

  it('compresses where that is wanted', async () => {
    const { collector, take } = await open({ compression: 'gzip' });
    await take(...records(1, 100));
    expect(collector.taken[0]?.headers['content-encoding']).toBe('gzip');
    expect(Number(collector.taken[0]?.headers['content-length'])).toBeLessThan(2_000);
    expect(collector.taken[0]?.body.split('\n')).toHaveLength(101);
  });

  it('saves its position when it has an answer, for its owner only, and not before', async () => {
    const { collector, sink, take, position } = await open();
    expect(await sink.position()).toBeUndefined();
    await take(...records(1, 3));
    expect(await position()).toEqual(record(3).position);
    await collector.behave('unavailable');
    await expect(take(...records(4, 6))).rejects.toThrow(/127\.0\.0\.1:\d+ answered with status 503/);
    await collector.behave('answers-half');
    await expect(take(...records(4, 6))).rejects.toThrow(DeliveryError);
    await collector.behave('loses-the-answer');
    await expect(take(...records(4, 6))).rejects.toThrow(DeliveryError);
    expect(await position()).toEqual(record(3).position);
  });

  it('goes on after a position that cannot be read as if it had none', async () => {
    const { aside, sink, take } = await open();
    await take(record(1));
    expect(await sink.position()).toMatchObject({ sequence: 1 });
    expect(statSync(path.join(path.dirname(aside), 'p')).mode & 0o777).toBe(0o600);
    const { writeFileSync } = await import('node:fs');
    for (const text of ['', '{', '[]', '{"sequence":-1}']) {
      writeFileSync(path.join(path.dirname(aside), 'p'), text);
      expect(await sink.position()).toBeUndefined();
    }
  });

  it.each([401, 403, 404, 302, 408, 429, 500, 501, 502])(
    'keeps everything when the answer is %s, which is no word about records',
    async (status) => {
      const { take, position, rejections } = await open({
        answer: () => ({ status, headers: { 'retry-after': '7' } }),
      });
      await expect(take(...records(1, 4))).rejects.toMatchObject({ refused: false, retryAfterMs: 7000 });
      expect(await position()).toBeUndefined();
      expect(rejections).toEqual([]);
    },
  );

  it.each([400, 413, 422])(
    'finds the records that are refused with %s, sets them aside, and sends the rest',
    async (status) => {
      const answer = ({ body }: Delivery): Answer => ({ status: body.includes('poison') ? status : 200 });
      const { collector, take, position, rejections, setAside, aside } = await open({ answer });
      const all = records(1, 100).map((one, index) =>
        index === 16 || index === 80 ? record(index + 1, 'poison') : one,
      );
      await take(...all);
      const arrived = collector.taken.flatMap(({ body }) => body.split('\n').slice(0, -1));
      expect(arrived).toEqual(all.filter((_, index) => index !== 16 && index !== 80).map(({ line }) => line));
      expect(await position()).toEqual(record(100).position);
      expect(rejections).toEqual([1, 1]);
      expect(setAside()).toEqual(
        [17, 81].map((sequence) => ({
          time: 5,
          reason: expect.stringContaining(`answered with status ${status}`),
          sequence,
          uid: `c-${sequence}`,
          record: JSON.parse(record(sequence, 'poison').line) as unknown,
        })),
      );
      expect(statSync(aside).mode & 0o777).toBe(0o600);
    },
  );

  it('divides a batch that is too large until it fits', async () => {
    const answer = ({ body }: Delivery): Answer => ({ status: body.length > 1000 ? 413 : 200 });
    const { collector, take, rejections } = await open({ answer });
    await take(...records(1, 64));
    expect(collector.taken.flatMap(({ body }) => body.split('\n').slice(0, -1))).toHaveLength(64);
    expect(rejections).toEqual([]);
  });

  it('sends only what is left of a batch that went in part', async () => {
    let count = 0;
    const answer = ({ body }: Delivery): Answer => {
      if (body.split('\n').length > 3) return { status: 413 };
      count += 1;
      return { status: count === 2 ? 503 : 200 };
    };
    const { collector, take, position } = await open({ answer });
    await expect(take(...records(1, 4))).rejects.toThrow('503');
    expect(await position()).toMatchObject({ sequence: 2 });
    await take(...records(1, 4));
    expect(collector.taken.map(({ headers }) => headers['idempotency-key'])).toEqual(['c-1..c-2', 'c-3..c-4']);
  });

  it('stops setting aside when everything is refused: that is not the fault of records', async () => {
    const { take, position, rejections, setAside } = await open({ answer: () => ({ status: 400 }) });
    await expect(take(...records(1, 100))).rejects.toThrow(/refused 32 records in a row/);
    expect(rejections).toHaveLength(32);
    expect(setAside()).toHaveLength(32);
    expect(await position()).toMatchObject({ sequence: 32 });
    await expect(take(...records(1, 100))).rejects.toThrow(/in a row/);
    expect(rejections).toHaveLength(32);
  });

  it('waits rather than drop a record when the file for refused ones is full', async () => {
    const { take, position } = await open({ answer: () => ({ status: 400 }), maxAsideBytes: 100 });
    await expect(take(record(1))).rejects.toThrow(/aside\.jsonl is full/);
    expect(await position()).toBeUndefined();
  });
});

describe('a sink for OpenTelemetry logs', () => {
  it('goes on after a partial success, and sets aside what is known of the refused records', async () => {
    const body = '{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"too old"}}';
    const { collector, take, position, rejections, setAside } = await open({
      format: 'otlp',
      answer: () => ({ status: 200, body }),
    });
    await take(...records(1, 5));
    expect(collector.attempts).toHaveLength(1);
    expect(await position()).toMatchObject({ sequence: 5 });
    expect(rejections).toEqual([2]);
    expect(setAside()).toEqual([
      { time: 5, reason: 'too old', rejected: 2, among: { first: 'c-1', last: 'c-5', records: 5 } },
    ]);
  });

  it.each([
    '',
    '{}',
    'no JSON',
    '{"partialSuccess":{}}',
    '{"partialSuccess":{"rejectedLogRecords":"0","errorMessage":"mind"}}',
    '[]',
  ])('takes the answer %j for a whole success', async (body) => {
    const { take, rejections, position } = await open({ format: 'otlp', answer: () => ({ status: 200, body }) });
    await take(...records(1, 2));
    expect(await position()).toMatchObject({ sequence: 2 });
    expect(rejections).toEqual([]);
  });

  it('sends the record as the body and what is searched for as attributes', async () => {
    const { collector, take } = await open({ format: 'otlp', compression: 'gzip' });
    const line = JSON.stringify({
      class_uid: 6003,
      severity_id: 2,
      time: 1_790_000_000_123,
      actor: { user: { name: 'al\ud800ice' } },
      api: { operation: 'tools/call', request: { uid: 'r-1' }, service: { name: 'files' } },
      metadata: { sequence: 9, uid: 'c-9', tenant_uid: 'acme' },
      status_code: 'forbidden',
      unmapped: { event: 'outcome', outcome: 'refused', trace: { uid: 'ab'.repeat(16) } },
    });
    await take({ ...record(9), line });
    const sent = JSON.parse(collector.taken[0]?.body ?? '') as {
      resourceLogs: [{ resource: unknown; scopeLogs: [{ logRecords: [Record<string, unknown>] }] }];
    };
    const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
    expect(sent.resourceLogs[0].resource).toEqual({
      attributes: [
        text('service.name', 'sallyport'),
        text('service.version', '1.2.3'),
        text('service.instance.id', 'host-1'),
      ],
    });
    expect(sent.resourceLogs[0].scopeLogs[0].logRecords).toEqual([
      {
        timeUnixNano: '1790000000123000000',
        observedTimeUnixNano: '1790000000500000000',
        severityNumber: 13,
        severityText: 'Low',
        eventName: 'sallyport.audit.outcome',
        traceId: 'ab'.repeat(16),
        body: { stringValue: line },
        attributes: [
          text('log.record.uid', 'c-9'),
          { key: 'sallyport.audit.sequence', value: { intValue: '9' } },
          text('event.name', 'outcome'),
          text('sallyport.request.id', 'r-1'),
          text('sallyport.outcome', 'refused'),
          text('sallyport.tenant', 'acme'),
          text('sallyport.server', 'files'),
          text('mcp.method.name', 'tools/call'),
          text('user.name', 'al\ufffdice'),
          text('error.type', 'forbidden'),
          { key: 'ocsf.class_uid', value: { intValue: '6003' } },
        ],
      },
    ]);
  });
});

it('reads Retry-After as seconds or as a date, and nothing else', () => {
  const nowMs = Date.parse('2027-01-31T10:00:00Z');
  expect(retryAfterMs('120', nowMs)).toBe(120_000);
  expect(retryAfterMs('Sun, 31 Jan 2027 10:00:30 GMT', nowMs)).toBe(30_000);
  expect(retryAfterMs('Sun, 31 Jan 2027 09:00:00 GMT', nowMs)).toBe(0);
  for (const text of [undefined, '', 'soon', '-5x', ['1', '2']]) expect(retryAfterMs(text, nowMs)).toBeUndefined();
});
