/** Prometheus's own tools, where they are installed: `promtool` judges rules and expressions, `prometheus` evaluates them. */

import { spawnSync } from 'node:child_process';
import path from 'node:path';

import { ROOT } from '../source-tree.ts';

const has = (command: string): boolean => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

const find = (name: string): string | undefined => (has(name) ? name : undefined);

export const PROMTOOL = find('promtool');
export const PROMETHEUS = find('prometheus');

if (PROMTOOL === undefined || PROMETHEUS === undefined) {
  const missing = [PROMTOOL === undefined ? 'promtool' : '', PROMETHEUS === undefined ? 'prometheus' : ''];
  const names = missing.filter((name) => name !== '').join(' and ');
  console.warn(`SKIPPED: tests that need ${names}, which is not installed (Debian: apt-get install prometheus).`);
}

export const PROMETHEUS_FOLDER = path.join(ROOT, 'deploy', 'prometheus');
export const RULE_FILES = ['sallyport-recording.yaml', 'sallyport-alerts.yaml'].map((name) =>
  path.join(PROMETHEUS_FOLDER, name),
);

const TIMEOUT_MS = 120_000;

/** What it printed, and whether it is content. */
export function promtool(...args: readonly string[]): { readonly ok: boolean; readonly output: string } {
  const { status, stdout, stderr } = spawnSync(PROMTOOL ?? 'promtool', args, { encoding: 'utf8', timeout: TIMEOUT_MS });
  return { ok: status === 0, output: `${stdout}${stderr}` };
}
