/** Asks a running gateway, and a Prometheus, what the checklist wants to know of them. */

import { isJsonObject, type JsonObject } from '../../model/json.ts';
import { readStatusReport } from '../../catalog/status-report.ts';
import { isWell } from '../status.ts';
import type { PrometheusFacts, RunningFacts } from './facts.ts';

const TIMEOUT_MS = 3_000;
/** A gateway with thousands of tools tells a few megabytes. */
const MAX_BYTES = 64 * 1024 * 1024;

type Answer = { readonly status: number; readonly body: string };

async function get(base: string, path: string): Promise<Answer> {
  const url = new URL(path, base.endsWith('/') ? base : `${base}/`);
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new Error(`the answer is larger than ${MAX_BYTES / 1024 / 1024} MiB`);
    chunks.push(chunk);
  }
  return { status: response.status, body: Buffer.concat(chunks).toString('utf8') };
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

export async function lookAtRunning(url: string | undefined, file: string): Promise<RunningFacts> {
  if (url === undefined) return { state: 'away', url };
  let answers: readonly [Answer, Answer, Answer];
  try {
    answers = await Promise.all([get(url, 'metrics'), get(url, 'readyz'), get(url, 'status')]);
  } catch {
    return { state: 'away', url };
  }
  const [metrics, ready, status] = answers;
  const report = readStatusReport(parse(status.body));
  // Something listens there, and it is no gateway.
  if (report === undefined) return { state: 'away', url };
  return {
    state: 'answers',
    url,
    series: metrics.status === 200 ? seriesIn(metrics.body) : undefined,
    notReady: ready.status === 200 ? undefined : ready.body.trim().slice(0, 300),
    unwell: report.servers
      .filter(({ state }) => !isWell(state) && state !== 'disabled')
      .map(({ id, state, reason }) => ({ id, state, ...(reason === undefined ? {} : { reason }) })),
    dependencies: report.dependencies,
    credentials: report.credentials,
    otherFile: report.configFile === file ? undefined : report.configFile,
    policiesRefused: report.policies.refused !== undefined,
  };
}

function seriesIn(text: string): number | undefined {
  if (!text.includes('sallyport_build_info')) return undefined;
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
}

export async function lookAtPrometheus(url: string | undefined): Promise<PrometheusFacts> {
  if (url === undefined) return { state: 'not-asked' };
  try {
    const [rules, up] = await Promise.all([
      get(url, 'api/v1/rules?type=alert'),
      get(url, `api/v1/query?query=${encodeURIComponent('count(sallyport_build_info)')}`),
    ]);
    const [ofRules, ofUp] = [dataOf(rules), dataOf(up)];
    if (ofRules === undefined || ofUp === undefined)
      return { state: 'away', url, reason: 'what answers is no Prometheus' };
    return { state: 'answers', url, rules: alertsIn(ofRules), scraped: valueIn(ofUp) };
  } catch (error) {
    return { state: 'away', url, reason: reasonOf(error) };
  }
}

function dataOf({ status, body }: Answer): JsonObject | undefined {
  const answer = status === 200 ? parse(body) : undefined;
  const data = isJsonObject(answer) ? answer['data'] : undefined;
  return isJsonObject(data) ? data : undefined;
}

const objects = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : []);

function alertsIn(data: JsonObject): number {
  const rules = objects(data['groups']).flatMap((group) => objects(group['rules']));
  return rules.filter(({ name }) => typeof name === 'string' && name.startsWith('Sallyport')).length;
}

/** Of an instant vector with one sample: `[time, "3"]`. */
function valueIn(data: JsonObject): number {
  const [sample] = objects(data['result']);
  const value = sample?.['value'];
  return Array.isArray(value) ? Number(value[1]) || 0 : 0;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message;
}
