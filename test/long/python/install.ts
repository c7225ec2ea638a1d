/** The official Python SDK, one virtual environment for each pinned version, outside what git knows. */

import { execFile } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

import { ROOT } from '../../source-tree.ts';

const run = promisify(execFile);

/** The newest of each generation: 1.x speaks the legacy revisions, 2.x both eras. */
export const PYTHON_SDKS = { 'python-1': '1.30.0', 'python-2': '2.3.0' } as const;

export type PythonSdk = keyof typeof PYTHON_SDKS;

export type Installed =
  | { readonly ok: true; readonly interpreter: string }
  /** Why there is none on this machine. */
  | { readonly ok: false; readonly reason: string };

const INSTALL_TIMEOUT_MS = 240_000;

/** The interpreter that has the SDK; installed on first use. */
export async function installPythonSdk(sdk: PythonSdk): Promise<Installed> {
  const version = PYTHON_SDKS[sdk];
  const folder = path.join(ROOT, 'node_modules', '.cache', 'sallyport-python', `mcp-${version}`);
  const interpreter = path.join(folder, 'bin', 'python');
  const complete = path.join(folder, '.complete');
  if (existsSync(complete)) return { ok: true, interpreter };
  try {
    await run('python3', ['-m', 'venv', folder]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', `mcp==${version}`];
    await run(interpreter, pip, { timeout: INSTALL_TIMEOUT_MS });
    writeFileSync(complete, '');
    return { ok: true, interpreter };
  } catch (error) {
    const reason = error instanceof Error ? (error.message.trim().split('\n').at(-1) ?? error.name) : String(error);
    return { ok: false, reason: `mcp ${version} for Python is not there and cannot be installed: ${reason}` };
  }
}
