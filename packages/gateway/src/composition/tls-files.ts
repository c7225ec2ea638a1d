/** The certificate and key of the listener, from their files: usable as a pair, or the reason why not. */

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';

import { err, ok, type Result } from '../model/result.ts';

export type KeyPair = { readonly certificate: string; readonly key: string };

/** `pair` is PEM. The error completes "the certificate …", and never quotes what is in a file. */
export function checkKeyPair({ certificate, key }: KeyPair, nowMs: number): Result<KeyPair, string> {
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(certificate);
  } catch {
    return err('is not one in PEM');
  }
  try {
    if (!leaf.checkPrivateKey(createPrivateKey(key))) return err('does not belong to the key');
  } catch {
    return err('has no usable key: the key file must be an unencrypted private key in PEM');
  }
  if (leaf.validToDate.getTime() <= nowMs) return err(`has expired on ${leaf.validToDate.toISOString()}`);
  try {
    createSecureContext({ cert: certificate, key, minVersion: 'TLSv1.2' });
  } catch (cause) {
    return err(`is not accepted by OpenSSL (${cause instanceof Error ? cause.message : 'unknown reason'})`);
  }
  return ok({ certificate, key });
}
