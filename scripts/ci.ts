/**
 * Runs every check and test of the repository in turn, shows what each prints, and adds up their counts. Vitest's numbers
 * come from its JSON report; the other steps end with a line "N passed, N failed" of their own.
 */

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

type Counts = { passed: number; failed: number; skipped: number };
type Step = { readonly name: string; readonly script: string; readonly vitest: boolean };

const STEPS: readonly Step[] = [
  { name: 'check', script: 'check', vitest: false },
  { name: 'tests', script: 'test', vitest: true },
  { name: 'long tests', script: 'test:long', vitest: true },
  { name: 'conformance', script: 'conformance', vitest: false },
  { name: 'examples', script: 'examples', vitest: false },
];

const reports = mkdtempSync(path.join(tmpdir(), 'sallyport-ci-'));

/** The last lines of a step's output: enough to find its own summary. */
const MAX_KEPT_CHARS = 20_000;

function run(step: Step, report: string): Promise<{ code: number; output: string }> {
  const reporters = ['--', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const child = spawn('npm', ['run', '--silent', step.script, ...(step.vitest ? reporters : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    process.stdout.write(text);
    output = (output + text).slice(-MAX_KEPT_CHARS);
  });
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ code: 1, output: error.message }));
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

function countVitest(report: string): Counts {
  if (!existsSync(report)) return { passed: 0, failed: 0, skipped: 0 };
  const counted: unknown = JSON.parse(readFileSync(report, 'utf8'));
  const number = (key: string): number => {
    const value: unknown = typeof counted === 'object' && counted !== null ? Reflect.get(counted, key) : undefined;
    return typeof value === 'number' ? value : 0;
  };
  return {
    passed: number('numPassedTests'),
    failed: number('numFailedTests'),
    skipped: number('numPendingTests') + number('numTodoTests'),
  };
}

/** The last line that says so counts: `12 passed, 0 failed` or `12 passed, 0 failed, 3 skipped`. */
function countLine(output: string): Counts {
  const match = [...output.matchAll(/(\d+) passed, (\d+) failed(?:, (\d+) skipped)?/g)].at(-1);
  return { passed: Number(match?.[1] ?? 0), failed: Number(match?.[2] ?? 0), skipped: Number(match?.[3] ?? 0) };
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const lines: string[] = [];
for (const [index, step] of STEPS.entries()) {
  process.stdout.write(`\n=== ${step.name} (npm run ${step.script})\n`);
  const startedMs = performance.now();
  const report = path.join(reports, `${index}.json`);
  const { code, output } = await run(step, report);
  const counts = step.vitest ? countVitest(report) : countLine(output);
  // A step that failed without a failed count (it crashed, it did not start) is a failure as well.
  if (code !== 0 && counts.failed === 0) counts.failed = 1;
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  const summary = `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
  lines.push(`${step.name.padEnd(12)} ${summary}  (${seconds} s)`);
}
rmSync(reports, { recursive: true, force: true });
process.stdout.write(`\n${lines.join('\n')}\n`);
process.stdout.write(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped\n`);
process.exitCode = total.failed === 0 ? 0 : 1;
