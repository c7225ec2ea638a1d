/** When keys were last used, gathered and written about once a minute: no call waits for it. */

import type { Logger } from '../telemetry/logger.ts';
import type { ApiKeyStore } from './api-key-store.ts';

export type ApiKeyUsesOptions = {
  readonly store: Pick<ApiKeyStore, 'noteUses'>;
  readonly log: Logger;
  /** Monotonic milliseconds. */
  readonly clockMs: () => number;
  /** Runs a task later without keeping the process alive; the returned function prevents it. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  /** Keys noted between two writes; uses of more are not kept. Default 10,000. */
  readonly maxKeys?: number;
};

export interface ApiKeyUses {
  note(id: string, usedAtMs: number): void;
  /** Writes what is left. Never throws: that a use is not kept stops nothing. */
  close(): Promise<void>;
}

const EVERY_MS = 60_000;

/** After a quiet minute, so that whoever tries a new key soon sees that it was used. */
const FIRST_MS = 1_000;

export function createApiKeyUses(options: ApiKeyUsesOptions): ApiKeyUses {
  const { store, log, clockMs, after, maxKeys = 10_000 } = options;
  let uses = new Map<string, number>();
  let lastMs = -Infinity;
  let cancel: (() => void) | undefined;
  let writing: Promise<void> = Promise.resolve();

  const write = async (): Promise<void> => {
    const noted = [...uses].map(([id, usedAtMs]) => ({ id, usedAtMs }));
    uses = new Map();
    if (noted.length === 0) return;
    try {
      await store.noteUses(noted);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      log.debug({ reason, keys: noted.length }, 'the last uses of API keys could not be written');
      // Kept for the next time, unless there is news of the key by then.
      for (const { id, usedAtMs } of noted) if (!uses.has(id) && uses.size < maxKeys) uses.set(id, usedAtMs);
    }
  };

  const flush = (): void => {
    cancel = undefined;
    lastMs = clockMs();
    writing = write();
  };

  return {
    note(id, usedAtMs) {
      if (uses.size >= maxKeys && !uses.has(id)) return;
      uses.set(id, usedAtMs);
      cancel ??= after(Math.max(FIRST_MS, lastMs + EVERY_MS - clockMs()), flush);
    },
    async close() {
      cancel?.();
      await writing;
      await write();
    },
  };
}
