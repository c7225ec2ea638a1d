/** Time as a parameter: what waits or measures in this folder takes a clock, so that a test can move it. */

export type Clock = {
  /** Monotonic, in milliseconds. */
  nowMs(): number;
  /** Runs `callback` once after `ms`, without keeping the process alive; the returned function prevents it. */
  after(ms: number, callback: () => void): () => void;
};

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
