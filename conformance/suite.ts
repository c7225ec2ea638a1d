/** Runs the official MCP conformance suite against one URL and reads its closing lines. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const SUITE = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'));

/** A suite that prints nothing for so long is stuck. */
const TIMEOUT_MS = 300_000;

export type SuiteRun = {
  /** For the table: what was run. */
  readonly title: string;
  /** The suite's own selection, for example `--requirements 2025-11-25`. */
  readonly selection: readonly string[];
  readonly expectedFailures?: string;
};

export type ScenarioResult = { readonly name: string; readonly passed: number; readonly failed: number };

export type SuiteResult = {
  readonly title: string;
  readonly passed: number;
  readonly failed: number;
  readonly scenarios: readonly ScenarioResult[];
  /** The suite's verdict: false when a scenario failed that was not expected to, or passed that was expected to fail. */
  readonly ok: boolean;
  readonly output: string;
};

export async function runSuite(url: string, run: SuiteRun, outputDirectory: string): Promise<SuiteResult> {
  const expected = run.expectedFailures === undefined ? [] : ['--expected-failures', run.expectedFailures];
  const args = [SUITE, 'server', '--url', url, ...run.selection, ...expected, '-o', outputDirectory];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: TIMEOUT_MS });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString('utf8')));
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const scenarios = [...output.matchAll(/^[✓✗] (\S+): (\d+) passed, (\d+) failed$/gmu)].map(
    ([, name, passed, failed]) => ({ name: name ?? '', passed: Number(passed), failed: Number(failed) }),
  );
  // A scenario that is run alone is summed up in other words.
  const total =
    /^Total: (?<passed>\d+) passed, (?<failed>\d+) failed$/mu.exec(output) ??
    /^Passed: (?<passed>\d+)\/\d+, (?<failed>\d+) failed/mu.exec(output);
  return {
    title: run.title,
    passed: Number(total?.groups?.['passed'] ?? 0),
    failed: Number(total?.groups?.['failed'] ?? 0),
    scenarios,
    ok: exitCode === 0 && total !== null,
    output,
  };
}
