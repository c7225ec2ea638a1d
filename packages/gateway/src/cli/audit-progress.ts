/** How far a proof is, on one line of a terminal that is written over, and nowhere else. */

import type { Terminal } from './terminal.ts';

export type Progress = {
  readonly show: (at: { readonly records: number; readonly bytes: number }) => void;
  readonly end: () => void;
};

/** Small records are proved before anybody could read it. */
const FIRST_AFTER_MS = 500;
const EVERY_MS = 200;

export function createProgress({ status }: Pick<Terminal, 'status'>): Progress {
  if (status === undefined) return { show: () => undefined, end: () => undefined };
  const startedMs = performance.now();
  let nextMs = startedMs + FIRST_AFTER_MS;
  let shown = false;
  return {
    show({ records, bytes }) {
      const nowMs = performance.now();
      if (nowMs < nextMs) return;
      nextMs = nowMs + EVERY_MS;
      shown = true;
      const perSecond = Math.round((records * 1000) / (nowMs - startedMs));
      const megabytes = Math.round(bytes / 1_048_576);
      status(`${number(records)} records (${megabytes} MiB), ${number(perSecond)} a second`);
    },
    end() {
      if (shown) status('');
    },
  };
}

const number = (value: number): string => value.toLocaleString('en-GB');
