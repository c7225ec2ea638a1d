/** Whether something takes connections at an address: connects, and lets go at once. */

import { connect, isIP } from 'node:net';

import { assertAddress, createGuardedLookup, resolveWithSystem } from './address-guard.ts';
import { EgressError } from './egress-error.ts';

export type TcpPlace = { readonly host: string; readonly port: number };

/** Configured addresses only, with the guard of every way out. @throws EgressError, or the signal's reason. */
export function reachTcp({ host, port }: TcpPlace, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (isIP(host) !== 0) assertAddress('configured', host, host);
    const socket = connect({ host, port, lookup: createGuardedLookup('configured', resolveWithSystem) });
    const abort = (): void => settle(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
    const settle = (error?: Error): void => {
      signal.removeEventListener('abort', abort);
      socket.destroy();
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.once('connect', () => settle());
    // Also after it has settled: a socket without a listener would end the process.
    socket.on('error', (cause) => {
      const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.message;
      settle(cause instanceof EgressError ? cause : new EgressError('unreachable', `${host}:${port}: ${code}`, cause));
    });
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}
