/** How the record is written where nothing else is said. */

export const DEFAULTS = {
  batchMs: 10,
  syncMs: 1000,
  maxIntentWaitMs: 5000,
  retryMs: 250,
  maxBacklogRecords: 20_000,
  maxBacklogBytes: 32 * 1_048_576,
};
