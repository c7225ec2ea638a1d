/** Watches an exporter: counts its batches, and says once that the collector is away and once that it is back. */

import type { Instruments } from './instruments.ts';
import type { Logger } from './logger.ts';

type ExportResult = { readonly code: number; readonly error?: Error };

type Exporter<Batch> = { export(batch: Batch, done: (result: ExportResult) => void): void };

export type WatchOptions = {
  readonly endpoint: string;
  readonly logger: Logger;
  /** There only once the metrics are: they need an exporter first. */
  readonly instruments: () => Pick<Instruments, 'exported'> | undefined;
};

/** `ExportResultCode.SUCCESS` of OpenTelemetry's core. */
const SUCCESS = 0;

/** The same exporter. */
export function watchExports<Batch, E extends Exporter<Batch>>(exporter: E, signal: string, options: WatchOptions): E {
  const { endpoint, logger } = options;
  const send = exporter.export.bind(exporter);
  let lost = 0;
  exporter.export = (batch: Batch, done: (result: ExportResult) => void): void =>
    send(batch, (result) => {
      const sent = result.code === SUCCESS;
      options.instruments()?.exported(signal, sent ? 'sent' : 'failed');
      if (!sent) {
        if (lost === 0) {
          const reason = reasonOf(result.error);
          const message = `the collector does not take ${signal}: those of the meantime are lost. Calls go on as before.`;
          logger.warn({ endpoint, reason }, message);
        }
        lost += 1;
      } else if (lost > 0) {
        logger.info({ endpoint, lostBatches: lost }, `the collector takes ${signal} again`);
        lost = 0;
      }
      done(result);
    });
  return exporter;
}

const MAX_REASON = 300;

/** An error of several attempts has no message of its own. The body of an answer is left out: it may hold anything. */
function reasonOf(error: Error | undefined): string {
  if (error === undefined) return 'unknown';
  const code = 'code' in error ? String(error.code) : '';
  const text = [code, error.message].filter((part) => part !== '').join(': ');
  return (text === '' ? error.name : text).slice(0, MAX_REASON);
}
