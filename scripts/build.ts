/** `npm run build`: what is released, plain JavaScript in `packages/gateway/dist`. Nothing of an earlier build stays. */

import { spawnSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** @returns The built entry file. @throws when the sources do not compile. */
export function build(): string {
  const dist = path.join(root, 'packages/gateway/dist');
  rmSync(dist, { recursive: true, force: true });
  const tsc = path.join(root, 'node_modules/.bin/tsc');
  const { status } = spawnSync(tsc, ['-p', 'packages/gateway/tsconfig.build.json'], { cwd: root, stdio: 'inherit' });
  if (status !== 0) throw new Error('The build failed; see the lines above.');
  return path.join(dist, 'main.js');
}

if (import.meta.main) process.stdout.write(`built ${path.relative(root, build())}\n`);
