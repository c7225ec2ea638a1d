/**
 * A SIEM and an OpenTelemetry collector go away in every way they can, under load, and the gateway is killed in the middle of
 * it. Then every record that stands in the audit file has arrived at least once, and no call has waited for any of it.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, expect, test } from 'vitest';

import { indexFile } from '../packages/gateway/src/composition/audit-index.ts';
import { createIndexThread } from '../packages/gateway/src/composition/index-thread.ts';
import { lineFacts } from '../packages/gateway/src/audit/sinks/followed-record.ts';
import { startCollector, type Behaviour, type Collector } from './fixtures/record-collector.ts';
import { startRecordingServer } from './fixtures/recording-http.ts';
import { writeTestConfig } from './harness/config-file.ts';
import { startAgain, type GatewayProcess } from './harness/gateway-process.ts';
import { bearer, modern, send } from './harness/http.ts';
import { countByProtocol, NO_OTLP_PROTO, readOtlpLogs } from './harness/otlp-logs.ts';
import { until } from './harness/until.ts';

const TOKEN = 'a-token-that-nobody-may-see';
const PATIENT_MS = 60_000;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** Calls without end, a few at a time, to whichever gateway is there. */
function startLoad(urlOf: () => string, key: string) {
  const facts = { answered: 0, stopped: false };
  const call = async (): Promise<boolean> => {
    if (facts.stopped) return true;
    const request = modern('tools/call', { name: facts.answered % 2 === 0 ? 'read' : 'write', arguments: {} });
    const sent = { ...request, headers: { ...request.headers, ...bearer(key) } };
    const answer = await send(`${urlOf()}/servers/files/mcp`, sent).catch(() => undefined);
    if (answer?.json?.result !== undefined) facts.answered += 1;
    return answer?.json?.result !== undefined;
  };
  const work = async (): Promise<void> => {
    while (!facts.stopped) await until('a call to be answered', call, PATIENT_MS);
  };
  const working = Promise.all(Array.from({ length: 3 }, work));
  return {
    get answered() {
      return facts.answered;
    },
    async stop() {
      facts.stopped = true;
      await working;
    },
  };
}

const ndjson = ({ taken }: Collector): readonly string[][] =>
  taken.filter((one) => one.path === '/ingest').map(({ body }) => body.split('\n').slice(0, -1));
const otlp = ({ taken }: Collector): readonly string[][] =>
  taken.filter((one) => one.path === '/v1/logs').map(({ body }) => readOtlpLogs(body).map((record) => record.body));

const countOf = (deliveries: readonly string[][]): number => new Set(deliveries.flat()).size;

async function failures(gateway: GatewayProcess, sink: string): Promise<number> {
  const { text } = await send(`${gateway.operationsUrl}/metrics`, { method: 'GET' });
  const found = new RegExp(`^sallyport_audit_sink_failures_total\\{[^}]*sink="${sink}"[^}]*\\} (\\d+)`, 'mu').exec(
    text,
  );
  return Number(found?.[1] ?? 0);
}

async function awaySinks(gateway: GatewayProcess): Promise<readonly string[]> {
  const { text } = await send(`${gateway.operationsUrl}/status`, { method: 'GET' });
  const { dependencies } = JSON.parse(text) as { dependencies: readonly { name: string; up: boolean }[] };
  return dependencies.flatMap(({ name, up }) => (up ? [] : [name])).toSorted();
}

async function bothFail(gateway: GatewayProcess): Promise<void> {
  const before = { siem: await failures(gateway, 'siem'), otlp: await failures(gateway, 'otlp') };
  await until(
    'both sinks to fail',
    async () => (await failures(gateway, 'siem')) > before.siem && (await failures(gateway, 'otlp')) > before.otlp,
    PATIENT_MS,
  );
}

async function bothGoOn(collector: Collector): Promise<void> {
  const before = [countOf(ndjson(collector)), countOf(otlp(collector))] as const;
  await until(
    'both sinks to go on',
    () => countOf(ndjson(collector)) > before[0] && countOf(otlp(collector)) > before[1],
    PATIENT_MS,
  );
}

/** In each delivery the records are in order, and each record for the first time after those before it. */
function expectOrder(deliveries: readonly string[][]): void {
  let newest = 0;
  for (const lines of deliveries) {
    const sequences = lines.map((line) => lineFacts(line)?.sequence ?? 0);
    expect(sequences).toEqual(sequences.toSorted((one, other) => one - other));
    expect(sequences[0]).toBeLessThanOrEqual(newest + 1);
    newest = Math.max(newest, sequences.at(-1) ?? 0);
  }
}

/** The index followed through the kills as well: it has each record once. */
async function expectIndexed(storageFile: string, lines: readonly string[]): Promise<void> {
  const index = createIndexThread(indexFile(storageFile));
  const indexed = async (): Promise<readonly string[]> => {
    const found: string[] = [];
    let page = await index.range({ sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER });
    for (;;) {
      found.push(...page.lines.map(({ line }) => line));
      if (page.next === undefined) return found;
      page = await index.range({ sinceMs: 0, untilMs: Number.MAX_SAFE_INTEGER }, page.next);
    }
  };
  const wanted = new Set(lines);
  const once = async (): Promise<boolean> =>
    (await indexed()).filter((line) => wanted.has(line)).length === wanted.size;
  await until('every record to be indexed once', once, PATIENT_MS);
  await index.close();
}

test(
  'every record arrives, whatever the collector does and when the gateway is killed meanwhile',
  { timeout: 240_000 },
  async () => {
    const collector = await startCollector();
    cleanups.push(() => collector.close());
    const upstream = await startRecordingServer(
      ['read', 'write'].map((name) => ({ name, inputSchema: { type: 'object' } })),
    );
    cleanups.push(() => upstream.close());
    const headers = `{ Authorization: "Splunk file:./token" }`;
    const config = writeTestConfig({
      yaml: `servers:\n  files: { url: "${upstream.url}", tools: { read: { readOnly: true } }, allow: [{ anyone: true, tools: ["*"] }] }`,
      audit:
        `index: {}, sinks: [{ kind: http, name: siem, url: "${collector.url}/ingest", headers: ${headers}, timeout: 2s }, ` +
        `{ kind: otlp, url: "${collector.url}/v1/logs", timeout: 2s }]`,
      files: { token: TOKEN },
    });
    let gateway = await startAgain(config);
    cleanups.push(() => gateway.close());
    const load = startLoad(() => gateway.url, config.keys.alice ?? '');
    cleanups.push(() => load.stop());
    await bothGoOn(collector);

    const behaviours: readonly Behaviour[] = ['gone', 'unavailable', 'hangs', 'answers-half', 'loses-the-answer'];
    for (const behaviour of behaviours) {
      await collector.behave(behaviour);
      const answered = load.answered;
      await bothFail(gateway);
      expect(await awaySinks(gateway)).toEqual(['sink otlp', 'sink siem']);
      await until('calls to be answered all the same', () => load.answered > answered, PATIENT_MS);
      if (behaviour === 'unavailable' || behaviour === 'loses-the-answer') {
        gateway.signal('SIGKILL');
        await gateway.exited;
        gateway = await startAgain(config);
        await bothFail(gateway);
      }
      await collector.behave('takes');
      await bothGoOn(collector);
    }
    await load.stop();
    // One line for each outage, however many attempts failed in it.
    const outages = gateway.log.filter(({ msg }) => String(msg).includes('does not take records'));
    expect(outages.length).toBeLessThanOrEqual(4);
    gateway.signal('SIGTERM');
    await gateway.exited;

    const lines = readFileSync(config.auditFile, 'latin1').split('\n').slice(0, -1);
    gateway = await startAgain(config);
    const missing = (deliveries: readonly string[][]): number => {
      const seen = new Set(deliveries.flat());
      return lines.filter((line) => !seen.has(line)).length;
    };
    await until(
      'every record to have arrived',
      () => missing(ndjson(collector)) === 0 && missing(otlp(collector)) === 0,
      PATIENT_MS,
    );
    expect(lines.length).toBeGreaterThan(100);
    await expectIndexed(path.join(config.directory, 'data', 'sallyport.db'), lines);
    const now = new Set(readFileSync(config.auditFile, 'latin1').split('\n'));
    for (const deliveries of [ndjson(collector), otlp(collector)]) {
      expectOrder(deliveries);
      expect(deliveries.flat().filter((line) => !now.has(line))).toEqual([]);
    }
    for (const { path: sentTo, headers: sent, body } of collector.attempts) {
      expect(sent['idempotency-key']).toMatch(/^[0-9a-f]{16}-\d+\.\.[0-9a-f]{16}-\d+$/);
      expect(sent.authorization).toBe(sentTo === '/ingest' ? `Splunk ${TOKEN}` : undefined);
      if (sentTo === '/v1/logs') expect(readOtlpLogs(body).length).toBeGreaterThan(0);
    }
    expect(JSON.stringify(gateway.log)).not.toContain(TOKEN);
    if (NO_OTLP_PROTO === undefined) {
      const body = collector.taken.find((one) => one.path === '/v1/logs')?.body ?? '';
      expect(countByProtocol(body)).toBe(readOtlpLogs(body).length);
    }
  },
);
