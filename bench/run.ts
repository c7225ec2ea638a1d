/**
 * `npm run bench`: CPU per call and calls per second for a server asked directly, through nginx, through haproxy and
 * through Sallyport with everything on, in one run on one machine. Rounds alternate, so that a slow minute slows all of
 * them; the figures are medians. CPU per call is the robust one: rates depend on the cores that the load leaves. With
 * `--policy` instead: what a decision of policy costs (`policy.ts`); with `--telemetry`: what metrics and traces cost
 * (`telemetry.ts`); with `--audit`: what the record costs (`audit.ts`). None needs Linux or any of these.
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { auditTable, measureAudit } from './audit.ts';
import { legacyCall, modernCall } from './calls.ts';
import { ANSWER_TEXT } from './fixtures/messages.ts';
import { load, tryCall, type Call } from './load.ts';
import { cpuSeconds, isInstalled, residentMegabytes, start, stopAll, until } from './processes.ts';
import { firstEventTable, measureFirstEvent } from './first-event.ts';
import { measureParked, parkedTable } from './parked.ts';
import { measurePolicy, policyTable } from './policy.ts';
import { startHaproxy, startNginx } from './proxies.ts';
import { writeReport, type Row } from './report.ts';
import { startGateway, type Gateway } from './sallyport.ts';
import { measureStarts, startsTable } from './starts.ts';
import { measureSubscriptions, subscriptionsTable } from './subscriptions.ts';
import { measureTelemetry, telemetryTable } from './telemetry.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '4' },
    baseline: { type: 'boolean', default: false },
    starts: { type: 'boolean', default: false },
    parked: { type: 'boolean', default: false },
    subscriptions: { type: 'boolean', default: false },
    'first-event': { type: 'boolean', default: false },
    policy: { type: 'boolean', default: false },
    telemetry: { type: 'boolean', default: false },
    audit: { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const seconds = Number(values.seconds);

/** One thing measured: what is asked, and whose CPU is counted. */
type Subject = {
  readonly scenario: string;
  readonly via: string;
  readonly call: Call;
  readonly pid: number;
  /** For a proxy whose worker is a child process. */
  readonly withChildren: boolean;
};

const WARM_UP_SECONDS = 4;

type Sample = { readonly cpuMicroseconds: number; readonly perSecond: number };

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const READ = 'modern to modern, HTTP, read-only tool';

async function startFixture(era: 'modern' | 'legacy'): Promise<{ pid: number; port: number }> {
  const file = fileURLToPath(new URL('./fixtures/http-server.ts', import.meta.url));
  const fixture = start({ role: 'server', command: [process.execPath, file, era] });
  await until(() => /^\d+\n/.test(fixture.output()), `the ${era} fixture`, fixture);
  return { pid: fixture.pid, port: Number(fixture.output().split('\n')[0]) };
}

async function baselines(folder: string, modern: { pid: number; port: number }): Promise<Subject[]> {
  const subject = (via: string, port: number, pid: number): Subject => {
    const call = modernCall({ url: `http://127.0.0.1:${port}/mcp`, tool: 'read_note' });
    return { scenario: READ, via, call, pid, withChildren: via === 'nginx' };
  };
  const found = [subject('direct (the fixture itself)', modern.port, modern.pid)];
  for (const [name, startProxy] of [
    ['nginx', startNginx],
    ['haproxy', startHaproxy],
  ] as const) {
    const proxy = await startProxy(modern.port, join(folder, name));
    if (proxy === undefined) say(`${name} is not installed: its row is left out`);
    else found.push(subject(name, proxy.port, proxy.pid));
  }
  return found;
}

async function gatewaySubjects({ origin, key, pid }: Gateway): Promise<Subject[]> {
  const url = (server: string): string => `${origin}/servers/${server}/mcp`;
  const through = (scenario: string, call: Call): Subject => ({
    scenario,
    via: 'Sallyport',
    call,
    pid,
    withChildren: false,
  });
  return [
    through(READ, modernCall({ url: url('modern'), tool: 'read_note', key })),
    through('modern to modern, HTTP, durable intent', modernCall({ url: url('modern'), tool: 'write_note', key })),
    through('legacy to legacy, HTTP', await legacyCall({ url: url('legacy'), tool: 'read_note', key })),
    through('modern to legacy, stdio', modernCall({ url: url('stdio'), tool: 'read_note', key })),
  ];
}

async function measure({ call, pid, withChildren }: Subject): Promise<Sample> {
  const before = cpuSeconds(pid, withChildren);
  const result = await load({ call, seconds });
  const used = cpuSeconds(pid, withChildren) - before;
  return { cpuMicroseconds: (used * 1e6) / result.requests, perSecond: result.requests / result.seconds };
}

async function measureAll(subjects: readonly Subject[]): Promise<Map<Subject, Sample>> {
  const samples = new Map<Subject, Sample[]>(subjects.map((subject) => [subject, []]));
  for (const { call, via, scenario } of subjects) {
    say(`warming up: ${scenario}, ${via}`);
    await tryCall(call, ANSWER_TEXT);
    // V8 goes on optimising for more than ten seconds: the first figures of a cold process are of the compiler.
    await load({ call, seconds: via === 'Sallyport' ? 4 * WARM_UP_SECONDS : WARM_UP_SECONDS });
  }
  for (let round = 1; round <= rounds; round++) {
    say(`round ${round} of ${rounds}`);
    for (const [subject, taken] of samples) taken.push(await measure(subject));
  }
  for (const { call } of subjects) await tryCall(call, ANSWER_TEXT);
  return new Map([...samples].map(([subject, taken]) => [subject, medians(taken)]));
}

const medians = (samples: readonly Sample[]): Sample => ({
  cpuMicroseconds: median(samples.map(({ cpuMicroseconds }) => cpuMicroseconds)),
  perSecond: median(samples.map(({ perSecond }) => perSecond)),
});

const median = (numbers: readonly number[]): number =>
  [...numbers].sort((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? Number.NaN;

type Latency = { readonly rate: number; readonly p50Ms: number; readonly p99Ms: number };

/** What the gateway adds at half of what it can do: the same rate asked of it and of the server directly, in turns. */
async function addedLatency(direct: Subject, gateway: Subject, capacity: number): Promise<Latency> {
  const rate = Math.round(capacity / 2);
  const added: { p50Ms: number; p99Ms: number }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const without = await load({ call: direct.call, seconds, rate });
    const through = await load({ call: gateway.call, seconds, rate });
    added.push({ p50Ms: through.p50Ms - without.p50Ms, p99Ms: through.p99Ms - without.p99Ms });
  }
  return { rate, p50Ms: median(added.map(({ p50Ms }) => p50Ms)), p99Ms: median(added.map(({ p99Ms }) => p99Ms)) };
}

function rowsOf(samples: ReadonlyMap<Subject, Sample>): Row[] {
  const nginx = [...samples].find(([{ via }]) => via === 'nginx')?.[1].cpuMicroseconds;
  return [...samples].map(([{ scenario, via }, sample]) => ({
    scenario,
    via,
    ...sample,
    ...(nginx !== undefined && { timesNginx: sample.cpuMicroseconds / nginx }),
  }));
}

async function bench(folder: string): Promise<void> {
  const modern = await startFixture('modern');
  const subjects = await baselines(folder, modern);
  if (values.baseline) {
    writeReport({ rows: rowsOf(await measureAll(subjects)), rounds, seconds }, say);
    return;
  }
  const legacy = await startFixture('legacy');
  const gateway = await startGateway({
    folder: join(folder, 'gateway'),
    modernPort: modern.port,
    legacyPort: legacy.port,
  });
  const idleMegabytes = residentMegabytes(gateway.pid);
  subjects.push(...(await gatewaySubjects(gateway)));
  const samples = await measureAll(subjects);
  const read = subjects.find(({ scenario, via }) => scenario === READ && via === 'Sallyport');
  const [direct] = subjects;
  if (read === undefined || direct === undefined) throw new Error('the rows that latency is measured on are missing');
  say('latency at half of capacity');
  const latency = await addedLatency(direct, read, samples.get(read)?.perSecond ?? 0);
  const memory = { idleMegabytes, loadedMegabytes: residentMegabytes(gateway.pid) };
  writeReport({ rows: rowsOf(samples), rounds, seconds, latency, memory }, say);
}

async function main(): Promise<number> {
  if (values.policy) {
    say(policyTable(await measurePolicy()));
    return 0;
  }
  if (values.telemetry) {
    try {
      say(telemetryTable(await measureTelemetry()));
    } finally {
      await stopAll();
    }
    return 0;
  }
  if (values.audit) {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
    try {
      say(auditTable(await measureAudit(folder)));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    return 0;
  }
  if (process.platform !== 'linux' || !isInstalled('wrk')) {
    say('The bench needs Linux (it reads /proc) and wrk. On Debian: apt-get install wrk nginx haproxy');
    return 1;
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-'));
  try {
    if (values.starts) say(startsTable(await measureStarts(folder)));
    else if (values.parked) say(parkedTable(await measureParked(folder)));
    else if (values.subscriptions) say(subscriptionsTable(await measureSubscriptions(folder)));
    else if (values['first-event']) say(firstEventTable(await measureFirstEvent(folder)));
    else await bench(folder);
    return 0;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return 1;
  } finally {
    await stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

process.once('SIGINT', () => void stopAll().then(() => process.exit(130)));
process.exitCode = await main();
