/** Where else the record goes: the index in the database, and the sinks that a configuration names. */

import { hostname } from 'node:os';

import type { AppendFile } from '../audit/batch-writer.ts';
import type { AuditReader } from '../audit/audit-reader.ts';
import type { Segment } from '../audit/segments.ts';
import type { AuditSink } from '../audit/sinks/audit-sink.ts';
import { createHttpDelivery } from '../audit/sinks/http-delivery.ts';
import type { HttpTarget } from '../audit/sinks/http-post.ts';
import { createIndexReader } from '../audit/sinks/index-reader.ts';
import { createIndexSink } from '../audit/sinks/index-sink.ts';
import { createOtlpDelivery } from '../audit/sinks/otlp-logs.ts';
import { createRemoteSink } from '../audit/sinks/remote-sink.ts';
import { createSetAside } from '../audit/sinks/set-aside.ts';
import { SinkRunner, type SinkStatus } from '../audit/sinks/sink-runner.ts';
import { SyncedMark } from '../audit/sinks/synced-mark.ts';
import type { SinkConfig } from '../config/config.ts';
import type { ValueConfig } from '../config/secrets-config.ts';
import { nameOf } from '../credential/secret-source.ts';
import type { Egress } from '../egress/egress.ts';
import { SALLYPORT } from '../protocol/identity.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import { keepIndex, openAuditIndex } from './audit-index.ts';
import type { StorageParts } from './storage.ts';

export type AuditSinksParts = StorageParts & { readonly egress: Egress; readonly instruments: Instruments };

export type AuditSinks = {
  /** Opens the audit file as `open` does, and looks on: what is on stable storage is what sinks are given. */
  watching(open: (path: string) => Promise<AppendFile>): (path: string) => Promise<AppendFile>;
  /** `newest`: the number of the newest record. */
  start(newest: () => number): void;
  /** The newest record that every sink has; Infinity without sinks. */
  lowestPosition(): number;
  /** Has every sink taken all of that older file, and gone on to the next? Until then it is not deleted. */
  mayDelete(segment: Segment): boolean;
  /** Searches the record in the database, where there is one. */
  readonly reader: AuditReader | undefined;
  status(): readonly SinkStatus[];
  close(): Promise<void>;
};

/** A batch of a request: as many records, or as many bytes, whichever comes first. */
const REMOTE_LIMITS = { maxRecords: 512, maxBytes: 1_048_576, lingerMs: 250 };
/** When the gateway ends, sinks that work may take what is left. */
const LAST_WORDS_MS = 1_000;

/** @throws StorageConfigError */
export async function composeAuditSinks(parts: AuditSinksParts): Promise<AuditSinks> {
  const { config, logger, instruments } = parts;
  const { file, index: wanted } = config.audit;
  const mark = new SyncedMark(file);
  const opened = wanted === undefined ? undefined : await openAuditIndex(parts, wanted.on);
  const stopKeeping =
    opened === undefined || wanted === undefined ? undefined : keepIndex(opened.index, wanted.keepMs, logger);
  const sinks = config.audit.sinks.map((sink) => remoteSink(sink, parts));
  if (opened !== undefined) {
    sinks.unshift(createIndexSink({ name: 'index', index: opened.index, sourceFile: `${file}.index.position` }));
  }
  let newestOf = (): number => 0;
  const runners = sinks.map(
    (sink) =>
      new SinkRunner({
        sink,
        path: file,
        mark,
        newest: () => newestOf(),
        instruments,
        logger,
        now: Date.now,
        random: Math.random,
      }),
  );
  return {
    watching: (open) => mark.watching(open),
    start(newest) {
      newestOf = newest;
      for (const runner of runners) runner.start();
    },
    lowestPosition: () => Math.min(...runners.map(({ position }) => position?.sequence ?? 0)),
    mayDelete: ({ first }) => runners.every(({ position }) => (position?.file ?? 0) > (first ?? Infinity)),
    reader: opened === undefined ? undefined : createIndexReader(opened.index),
    status: () => runners.map((runner) => runner.status()),
    async close() {
      await Promise.all(runners.map((runner) => runner.close(LAST_WORDS_MS)));
      await stopKeeping?.();
      await opened?.close();
    },
  };
}

function remoteSink(sink: SinkConfig, parts: AuditSinksParts): AuditSink {
  const { config, egress, instruments, logger } = parts;
  const { name, format } = sink;
  const target = targetOf(sink, parts);
  const delivery =
    format === 'otlp'
      ? createOtlpDelivery(egress, target, { version: SALLYPORT.version, instance: hostname(), now: Date.now })
      : createHttpDelivery(egress, target, format);
  const keptIn = `${config.audit.file}.${name}.rejected.jsonl`;
  return createRemoteSink({
    name,
    limits: REMOTE_LIMITS,
    delivery,
    positionFile: `${config.audit.file}.${name}.position`,
    setAside: createSetAside(keptIn, Date.now),
    onRejected(records, why) {
      instruments.auditSinkRejected(name, records);
      logger.error({ sink: name, records, why, keptIn }, REJECTED);
    },
  });
}

const REJECTED = 'a sink refused audit records for good: what is known of them was set aside, and the rest goes on';

function targetOf({ url, headers, timeoutMs, compression }: SinkConfig, { secrets }: AuditSinksParts): HttpTarget {
  return {
    timeoutMs,
    compression,
    url: async () => parsedUrl(await secrets.resolve(url), url),
    headers: () =>
      Promise.all(Object.entries(headers).map(async ([name, value]) => [name, await secrets.resolve(value)] as const)),
  };
}

function parsedUrl(text: string, from: ValueConfig): URL {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return new URL(text);
  throw new Error(`What ${nameOf(from)} holds is no http(s) URL.`);
}
