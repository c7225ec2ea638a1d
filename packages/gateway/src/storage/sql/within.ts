/** A bound for a wait that leaves the process. */

/** What was asked for goes on behind it: whoever starts it sees to its end. */
export async function within<T>(timeoutMs: number, message: string, work: Promise<T>): Promise<T> {
  const timeout = Promise.withResolvers<never>();
  const timer = setTimeout(() => timeout.reject(new Error(message)), timeoutMs);
  try {
    return await Promise.race([work, timeout.promise]);
  } finally {
    clearTimeout(timer);
  }
}
