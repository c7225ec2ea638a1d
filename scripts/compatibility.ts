/** `npm run compatibility`: runs the era matrix and writes `docs/compatibility.md`. Takes a minute or two. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { IMPOSSIBLE } from '../test/matrix/impossible.ts';
import { REQUIREMENTS } from '../test/matrix/requirements.ts';
import { compatibilityPage, PAGE_FILE } from './compatibility/page.ts';
import { ranOf, SUITES, type Report } from './compatibility/runs.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-compatibility-'));
try {
  const output = path.join(folder, 'report.json');
  const files = SUITES.map(({ file }) => file);
  const args = ['node_modules/vitest/vitest.mjs', 'run', ...files, '--reporter=json', `--outputFile=${output}`];
  const { status } = spawnSync(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const report: Report = JSON.parse(readFileSync(output, 'utf8'));
  const notes = new Map(REQUIREMENTS.map((requirement) => [requirement.title, requirement]));
  const tables = SUITES.map((suite) => ({ heading: suite.heading, ran: ranOf(report, suite), notes }));
  writeFileSync(PAGE_FILE, compatibilityPage(tables, IMPOSSIBLE));
  process.stdout.write(`wrote ${PAGE_FILE}\n`);
  if (status !== 0) process.stderr.write('Some tests failed: the page says which.\n');
  process.exitCode = status ?? 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
