/**
 * What makes a request a forwarded one: a pass, sealed under the ring that the replicas share. It says whose address the request
 * came from, names the one replica that it is for, and holds for this request and half a minute. Nobody outside can make one; it
 * is no credential, and a request that has one is never passed on again.
 */

import { hash } from 'node:crypto';

import type { Sealer } from '../seal/sealer.ts';

export const PASS_HEADER = 'x-sallyport-forwarded';

export type Pass = {
  /** Of the client, as the first replica saw it. */
  readonly address: string;
  readonly digest: string;
};

export type PassedRequest = { readonly path: string; readonly body: string };

export type ForwardPasses = {
  issue(to: string, address: string, request: PassedRequest): string;
  /** Undefined for what was made by nobody who has our key ring, for another replica, or too long ago. */
  open(pass: string): Pass | undefined;
};

/** From one replica to another, the clocks a little apart. */
const LIFETIME_MS = 30_000;

export const createForwardPasses = (sealer: Sealer, self: string): ForwardPasses => ({
  issue: (to, address, request) => sealer.seal('forward', { t: to, a: address, d: passDigest(request) }, LIFETIME_MS),
  open(pass) {
    const opened = sealer.open('forward', pass);
    if (!opened.ok) return undefined;
    const { t: to, a: address, d: digest } = opened.value;
    return to === self && typeof address === 'string' && typeof digest === 'string' ? { address, digest } : undefined;
  },
});

export const passDigest = ({ path, body }: PassedRequest): string => hash('sha256', `${path}\n${body}`, 'base64url');
