/** Asks a running gateway's operations listener what it is doing. */

import { readStatusReport } from '../catalog/status-report.ts';
import type { StatusReport } from '../catalog/status-report.ts';
import { CommandError, TYPED } from './command.ts';
import { EXIT } from './exit-code.ts';

const TIMEOUT_MS = 5000;

/** @throws CommandError when nothing answers there, or something else does. */
export async function fetchStatus(url: string): Promise<StatusReport> {
  const hint = `It is printed when the gateway starts ("operations"). Name it with --url; start one with "npm start" or "${TYPED} serve".`;
  let answer: unknown;
  try {
    const response = await fetch(new URL('/status', url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    answer = await response.json();
  } catch (error) {
    throw new CommandError(`No gateway's operations listener answers at ${url}.`, EXIT.unreachable, hint, error);
  }
  const report = readStatusReport(answer);
  if (report === undefined) throw new CommandError(`What answers at ${url} is no Sallyport.`, EXIT.unreachable, hint);
  return report;
}
