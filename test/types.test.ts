import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { ROOT } from './source-tree.ts';

const compiler = path.join(ROOT, 'node_modules', '.bin', 'tsc');

describe('the core types', () => {
  it('refuse every program in test/types that skips a step of the pipeline', () => {
    const compiled = spawnSync(compiler, ['-p', path.join(ROOT, 'test', 'types')], { encoding: 'utf8' });
    expect(compiled.error).toBeUndefined();
    expect(compiled.stdout).toBe('');
    expect(compiled.status).toBe(0);
  });

  it('are asked often enough to mean something', () => {
    const source = readFileSync(path.join(ROOT, 'test', 'types', 'unwritable.ts'), 'utf8');
    expect(source.match(/@ts-expect-error/g)?.length).toBeGreaterThan(15);
  });
});
