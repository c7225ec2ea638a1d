/** The certificate authorities of a trust domain, from PEM (SPIFFE Trust Domain and Bundle, in the form that SPIRE writes). */

import { X509Certificate } from 'node:crypto';

import { err, ok, type Result } from '../model/result.ts';

export type TrustBundle = readonly X509Certificate[];

/** Authorities of one trust domain: the current one, the next one, and what a migration leaves. */
const MAX_AUTHORITIES = 64;

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

/** All of it or nothing: a file that is being written is not half a bundle. The error ends a sentence about the file. */
export function parseTrustBundle(pem: string): Result<TrustBundle, string> {
  const texts = pem.match(CERTIFICATE) ?? [];
  if (texts.length === 0) return err('holds no certificate in PEM');
  if (texts.length > MAX_AUTHORITIES) return err(`holds more than ${MAX_AUTHORITIES} certificates`);
  if ((pem.match(/-----BEGIN /g) ?? []).length !== texts.length)
    return err('holds something that is no certificate, or half of one');
  const authorities: X509Certificate[] = [];
  for (const [index, text] of texts.entries()) {
    let authority: X509Certificate;
    try {
      authority = new X509Certificate(text);
    } catch {
      return err(`holds a certificate that cannot be read (number ${index + 1})`);
    }
    if (!authority.ca) return err(`holds a certificate that may not sign others (number ${index + 1})`);
    authorities.push(authority);
  }
  return ok(authorities);
}
