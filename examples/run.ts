/** `npm run examples`: tells every story against a real gateway and says how each ended. */

import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

const STORY_TIMEOUT_MS = 120_000;

const stories = readdirSync(import.meta.dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && existsSync(path.join(import.meta.dirname, entry.name, 'run.ts')))
  .map((entry) => entry.name)
  .toSorted();

function tell(story: string): Promise<number> {
  const child = spawn(process.execPath, [path.join(import.meta.dirname, story, 'run.ts')], { stdio: 'inherit' });
  const timer = setTimeout(() => child.kill('SIGKILL'), STORY_TIMEOUT_MS);
  return new Promise((resolve) => {
    child.once('error', () => resolve(1));
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code ?? 1);
    });
  });
}

let failed = 0;
for (const story of stories) {
  const startedMs = performance.now();
  const code = await tell(story);
  if (code !== 0) failed += 1;
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${code === 0 ? 'ok    ' : 'FAILED'}  ${story}  ${seconds} s\n`);
}
process.stdout.write(`${stories.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
