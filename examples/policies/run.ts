/** Every policy of this folder against its table of cases, through the command line; and none without one. */

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { say } from '../story.ts';

const FOLDER = import.meta.dirname;
const MAIN = path.resolve(FOLDER, '../../packages/gateway/src/main.ts');
const TIMEOUT_MS = 60_000;

const names = readdirSync(FOLDER).flatMap((file) => (file.endsWith('.cedar') ? [path.basename(file, '.cedar')] : []));
for (const name of names) {
  const cases = readFileSync(path.join(FOLDER, `${name}.test.yaml`), 'utf8');
  const policies = readFileSync(path.join(FOLDER, `${name}.cedar`), 'utf8');
  for (const [, id = ''] of policies.matchAll(/@id\("([^"]+)"\)/gu)) {
    assert(cases.includes(`[${id}`) || cases.includes(`, ${id}`), `no case of ${name} is decided by ${id}`);
  }
}

const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, 'policy', 'test', FOLDER], {
  encoding: 'utf8',
  timeout: TIMEOUT_MS,
});
assert.equal(status, 0, `${stdout}\n${stderr}`);
say(`${names.length} policies: ${stdout.trim().split('\n').at(-1) ?? ''}.`);
