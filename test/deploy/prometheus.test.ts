/** A real Prometheus collects from a real gateway, loads the rules as they are, and has an alert fire. */

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { sallyport } from '../harness/command-line.ts';
import { until } from '../harness/until.ts';
import { PROMETHEUS, RULE_FILES } from './promtool.ts';
import { DASHBOARDS, withoutGrafana } from './rules.ts';
import { startBusyGateway } from './scrape.ts';
import { freePort } from '../harness/free-port.ts';

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** It waits for nothing longer than a second here, so that the test does not. */
const quick = (rules: string): string => rules.replaceAll(/^( +)for: \d+[mh]$/gmu, '$1for: 0s');

async function startPrometheus(target: string): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-prometheus-'));
  closers.push(() => rmSync(folder, { recursive: true, force: true }));
  const names = RULE_FILES.map((file) => {
    writeFileSync(path.join(folder, path.basename(file)), quick(readFileSync(file, 'utf8')));
    return path.basename(file);
  });
  writeFileSync(
    path.join(folder, 'prometheus.yml'),
    [
      'global: { scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s }',
      `rule_files: [${names.join(', ')}]`,
      'scrape_configs:',
      `  - { job_name: sallyport, static_configs: [{ targets: ["${target}"] }] }`,
    ].join('\n'),
  );
  const port = await freePort();
  const child = spawn(
    PROMETHEUS ?? 'prometheus',
    [
      `--config.file=${path.join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${path.join(folder, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  closers.push(() => end(child));
  let said = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString('utf8')).slice(-4_000);
  });
  const url = `http://127.0.0.1:${port}`;
  await until(
    'Prometheus to be ready',
    async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended: ${said}`);
      return (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok;
    },
    30_000,
  );
  return url;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await ended;
  clearTimeout(timer);
}

type Alert = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

async function firing(url: string): Promise<readonly Alert[]> {
  const answer = (await (await fetch(`${url}/api/v1/alerts`)).json()) as {
    data: { alerts: readonly (Alert & { state: string })[] };
  };
  return answer.data.alerts.filter(({ state }) => state === 'firing');
}

describe.skipIf(PROMETHEUS === undefined)('a real Prometheus', () => {
  it('has the alerts of a key that ends this week and of a server that is disabled, and none that is not so', async () => {
    const busy = await startBusyGateway();
    closers.push(() => busy.close());
    const url = await startPrometheus(busy.target);
    const alert = (name: string) => async (): Promise<Alert | undefined> =>
      (await firing(url)).find(({ labels }) => labels['alertname'] === name);
    const ends = await until('the alert of the key', alert('SallyportCredentialExpiresIn7Days'), 40_000);
    expect(ends.labels).toMatchObject({ credential: 'job', kind: 'api-key', severity: 'warning' });
    expect(ends.annotations['summary']).toMatch(/^The api-key job ends in 4d 23h/u);
    const disabled = await until('the alert of the server', alert('SallyportServerDisabled'), 40_000);
    expect(disabled.labels).toMatchObject({ server: 'broken', instance: busy.target });
    const names = (await firing(url)).map(({ labels }) => labels['alertname']);
    expect(names).not.toContain('SallyportDown');
    expect(names).not.toContain('SallyportAuditWriteFailures');
    expect(names).not.toContain('SallyportDependencyDown');

    const panels = DASHBOARDS.flatMap(({ dashboard }) => dashboard.panels);
    for (const { title, targets = [] } of panels) {
      for (const { expr } of targets) {
        const query = new URLSearchParams({ query: withoutGrafana(expr) });
        const answer = await (await fetch(`${url}/api/v1/query?${query.toString()}`)).text();
        expect(answer, `${title}: ${expr}`).toMatch(/^\{"status":"success"/u);
      }
    }

    const file = path.join(busy.gateway.directory, 'sallyport.yaml');
    const { out } = await sallyport(['check', '--production', '--config', file, '--prometheus', url]);
    expect(out).toMatch(/has 3\d alert rules of Sallyport\.\n/u);
    expect(out).toMatch(/collects from 1 gateway\.\n/u);
  }, 120_000);
});
