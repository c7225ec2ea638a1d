/**
 * `npm run check`: format, lint, types and dead code. Every step runs even when an earlier one failed, so that one run
 * shows everything there is to mend; two at a time, because the slow ones wait for each other's core.
 */

import { spawn } from 'node:child_process';
import path from 'node:path';

type Step = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly mend: string;
};

const STEPS: readonly Step[] = [
  { name: 'types', command: 'tsc', args: ['-p', '.'], mend: 'see the lines above' },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--quiet'], mend: 'npx oxlint --type-aware --fix' },
  { name: 'dead code', command: 'knip', args: ['--no-progress'], mend: 'remove what nothing uses' },
  { name: 'format', command: 'oxfmt', args: ['--check', '.'], mend: 'npx oxfmt .' },
];
const AT_ONCE = 2;

type Finished = { readonly code: number; readonly output: string; readonly durationMs: number };

function run(step: Step): Promise<Finished> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const child = spawn(path.join('node_modules', '.bin', step.command), step.args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: process.platform === 'win32',
    });
    const output: string[] = [];
    child.stdout.setEncoding('utf8').on('data', (text: string) => output.push(text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => output.push(text));
    const finish = (code: number): void =>
      resolve({ code, output: output.join(''), durationMs: performance.now() - startedMs });
    child.once('error', (error) => {
      output.push(`${error.message}\n`);
      finish(1);
    });
    child.once('close', (code) => finish(code ?? 1));
  });
}

const queue = [...STEPS];
let failed = 0;

async function work(): Promise<void> {
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    const { code, output, durationMs } = await run(step);
    const time = `${(durationMs / 1000).toFixed(1)} s`;
    if (code === 0) {
      process.stdout.write(`ok      ${step.name.padEnd(10)} ${time}\n`);
    } else {
      failed += 1;
      process.stdout.write(`${output.trimEnd()}\nFAILED  ${step.name.padEnd(10)} ${time}   to mend: ${step.mend}\n`);
    }
  }
}

await Promise.all(Array.from({ length: AT_ONCE }, work));
process.stdout.write(`${STEPS.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
