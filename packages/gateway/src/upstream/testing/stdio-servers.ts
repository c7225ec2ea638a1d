/** For the tests of stdio: processes that are started as an operator would have them started, and that all end. */

import path from 'node:path';
import { vi } from 'vitest';
import { Refusal } from '../../model/failure.ts';
import type { Failure } from '../../model/failure.ts';
import type { Outcome } from '../../model/outcome.ts';
import { clientCodecFor, legacyHandshake } from '../../protocol/codecs.ts';
import type { Instruments } from '../../telemetry/instruments.ts';
import { systemClock } from '../clock.ts';
import type { Upstream } from '../connector.ts';
import { liveGroupIds } from '../stdio/live-groups.ts';
import { createStdioConnector, DEFAULT_STDIO_LIMITS } from '../stdio/stdio-connector.ts';
import type { StdioConnectorOptions, StdioLimits } from '../stdio/stdio-connector.ts';
import { callTool, collectLog, NO_CREDENTIAL, resultText, sendOptions, testServer } from './test-kit.ts';

export const FIXTURES = path.join(import.meta.dirname, '../stdio/fixtures');
const opened: Upstream[] = [];

export type Setup = Partial<Omit<StdioConnectorOptions, 'limits'>> & { readonly limits?: Partial<StdioLimits> };

export function connectorFor(args: readonly string[], over: Setup = {}) {
  const log = collectLog();
  const processStarted = vi.fn<Instruments['processStarted']>();
  const logDropped = vi.fn<Instruments['logDropped']>();
  const connector = createStdioConnector({
    command: process.execPath,
    args,
    cwd: process.cwd(),
    env: {},
    ownEnvironment: { PATH: process.env['PATH'], SECRET_OF_THE_GATEWAY: 'x' },
    client: { name: 'sallyport', version: '0' },
    codecs: { clientCodecFor, legacyHandshake },
    clock: systemClock,
    logger: log,
    instruments: { processStarted, logDropped },
    ...over,
    limits: { ...DEFAULT_STDIO_LIMITS, graces: { closedInputMs: 300, terminateMs: 300, killMs: 2000 }, ...over.limits },
  });
  const connect = async (credential = NO_CREDENTIAL, signal = new AbortController().signal): Promise<Upstream> => {
    const upstream = await connector.connect(testServer(), credential, signal);
    opened.push(upstream);
    return upstream;
  };
  return { connect, connector, log, processStarted, logDropped };
}

export const scripted = (behaviours: readonly string[] = [], over: Setup = {}) =>
  connectorFor([path.join(FIXTURES, 'scripted-server.ts'), ...behaviours], over);

export const call = (upstream: Upstream, name: string, args: Record<string, string | number> = {}): Promise<Outcome> =>
  upstream.send(callTool(name, args), sendOptions());

export async function toolText(outcome: Outcome | Promise<Outcome>): Promise<string> {
  const result: { content?: { text: string }[] } = JSON.parse(await resultText(await outcome));
  return result.content?.[0]?.text ?? JSON.stringify(result);
}

export async function failureOf(outcome: Outcome | Promise<Outcome>): Promise<Failure> {
  const settled = await outcome;
  if (settled.kind !== 'failed') throw new Error(`Expected a failure, got ${await resultText(settled)}`);
  return settled.failure;
}

export async function refusalOf(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Refusal) return error.failure;
    throw error;
  }
  throw new Error('Expected a refusal.');
}

/** After each test: nothing may be left. */
export async function endAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((upstream) => upstream.close()));
  if (liveGroupIds().length > 0) throw new Error(`Processes are left: ${liveGroupIds().join(', ')}.`);
}
