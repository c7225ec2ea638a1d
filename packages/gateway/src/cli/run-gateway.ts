/** Runs a gateway until it is told to stop: what `serve` and `demo` have in common. */

import { createServer } from 'node:http';
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';

import { LockedError } from '../audit/file-lock.ts';
import { UnreadableTailError } from '../audit/file-tail.ts';
import { SigningKeyError } from '../audit/signing-key.ts';
import type { LoadedConfig } from '../config/load.ts';
import type { ListenAddress } from '../config/config.ts';
import { listen, ListenError } from '../entrypoint/listen.ts';
import { CertificateError } from '../composition/certificates.ts';
import { PolicyError } from '../composition/policy.ts';
import { composeRedactText, RedactionError } from '../composition/redaction.ts';
import { StorageConfigError } from '../composition/storage.ts';
import { TelemetryConfigError } from '../composition/telemetry.ts';
import { startGateway } from '../gateway.ts';
import type { Gateway } from '../gateway.ts';
import { KeyRingError } from '../seal/key-ring.ts';
import { createLogger } from '../telemetry/pino-logger.ts';
import { CommandError } from './command.ts';
import { EXIT } from './exit-code.ts';

export type RunOptions = {
  readonly loaded: LoadedConfig;
  /** What was typed to get here, for hints: `npm start --`. */
  readonly typed: string;
  /** Called once it listens, instead of a line in the log. */
  readonly onReady?: (gateway: Gateway) => void;
};

/** npm, a terminal and a shell may each pass on one Ctrl-C: what comes within this time is the same one. */
const SAME_SIGNAL_MS = 1000;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** On a terminal it means that the terminal is gone, and ends the process; elsewhere, by custom, that files are to be read. */
const RELOAD_SIGNAL = 'SIGHUP';

/** @throws CommandError when it cannot start. Resolves when it has drained and closed. */
export async function runGateway({ loaded, typed, onReady }: RunOptions): Promise<void> {
  const { config, env } = loaded;
  const logger = createLogger({
    ...config.log,
    noColor: (env['NO_COLOR'] ?? '') !== '',
    redactText: redactTextOf(config),
  });
  const stop = firstSignal();
  try {
    const gateway = await start(loaded, logger, typed);
    // Before anyone can know that it runs: whoever sends the signal at once must not end it.
    stop.onHangUp(() => void gateway.reloadPolicies());
    if (onReady === undefined) logger.info({ url: gateway.url, operations: gateway.operationsUrl }, 'ready');
    else onReady(gateway);
    const signal = await stop.asked;
    if (signal === 'SIGTERM' && config.drainDelayMs > 0)
      await leaveBalancers(gateway, config.drainDelayMs, { logger, stop });
    logger.info(
      { signal },
      `stopping: open calls have ${config.drainMs / 1000} s to finish; Ctrl-C again stops at once`,
    );
    await Promise.race([gateway.close(config.drainMs), stop.insisted]);
    // Over already, unless someone insisted: then what is still open is cut, and everything closes in its order.
    await gateway.close(0);
    logger.info({}, 'stopped');
  } finally {
    stop.release();
    logger.close();
  }
}

/** Serves as before while load balancers notice; a person at a terminal (SIGINT) is not made to wait for them. */
async function leaveBalancers(
  gateway: Gateway,
  delayMs: number,
  { logger, stop }: { logger: Pick<ReturnType<typeof createLogger>, 'info'>; stop: Stop },
): Promise<void> {
  gateway.announceStop();
  logger.info({ delayMs }, 'draining: not ready any more, and still serving until load balancers have noticed');
  const over = new AbortController();
  await Promise.race([delay(delayMs, undefined, { signal: over.signal }).catch(() => undefined), stop.insisted]);
  over.abort();
}

async function start(loaded: LoadedConfig, logger: ReturnType<typeof createLogger>, typed: string): Promise<Gateway> {
  try {
    // Asked first, because a port in use is the plainer news when another gateway holds the audit file as well.
    for (const address of [loaded.config.listen, loaded.config.operations]) {
      if (address !== undefined && address.port !== 0) await tryAddress(address);
    }
    return await startGateway(loaded, { logger });
  } catch (error) {
    throw explained(error, loaded, typed);
  }
}

/** @throws ListenError */
async function tryAddress(address: ListenAddress): Promise<void> {
  const probe = createServer();
  await listen(probe, address);
  await new Promise((resolve) => probe.close(resolve));
}

/** What can go wrong without a fault of the program: these errors say what to do. */
const EXPECTED = [
  RedactionError,
  PolicyError,
  CertificateError,
  KeyRingError,
  StorageConfigError,
  TelemetryConfigError,
  SigningKeyError,
  LockedError,
  UnreadableTailError,
];

/** @throws CommandError */
function redactTextOf({ redaction }: LoadedConfig['config']): ReturnType<typeof composeRedactText> {
  try {
    return composeRedactText(redaction);
  } catch (error) {
    if (error instanceof RedactionError) throw new CommandError(error.message, EXIT.failed, undefined, error);
    throw error;
  }
}

/** A busy port says which one, and what to type instead. */
function explained(error: unknown, { config }: LoadedConfig, typed: string): unknown {
  if (error instanceof Error && EXPECTED.some((kind) => error instanceof kind)) {
    return new CommandError(error.message, EXIT.failed, undefined, error);
  }
  if (!(error instanceof ListenError)) return error;
  const { host, port } = error.address;
  const option = config.operations?.port === port && config.listen.port !== port ? '--operations' : '--listen';
  const other = error.problem === 'in-use' || error.problem === 'not-permitted' ? freePort(port) : port;
  const address =
    error.problem === 'no-such-address' ? `127.0.0.1:${port}` : `${host.includes(':') ? `[${host}]` : host}:${other}`;
  return new CommandError(error.message, EXIT.failed, `Type: ${typed} ${option} ${address}`, error);
}

const freePort = (port: number): number => (port < 1024 ? port + 8000 : port + 1);

type Stop = {
  /** The first signal. */
  readonly asked: Promise<string>;
  /** A second one, later than the echo of the first. */
  readonly insisted: Promise<void>;
  /** What SIGHUP asks for where no terminal is. */
  onHangUp(reload: () => void): void;
  release(): void;
};

function firstSignal(): Stop {
  const asked = Promise.withResolvers<string>();
  const insisted = Promise.withResolvers<void>();
  let firstMs: number | undefined;
  const onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    if (firstMs === undefined) {
      firstMs = nowMs;
      asked.resolve(signal);
    } else if (nowMs - firstMs > SAME_SIGNAL_MS) {
      insisted.resolve();
    }
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    asked: asked.promise,
    insisted: insisted.promise,
    onHangUp(reload) {
      if (!process.stdin.isTTY) process.on(RELOAD_SIGNAL, reload);
    },
    release: () => {
      process.removeAllListeners(RELOAD_SIGNAL);
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}
