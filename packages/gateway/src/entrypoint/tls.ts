/**
 * TLS on the main listener. Certificates of callers are asked for and passed on, not judged: OpenSSL knows one set of
 * authorities for all trust domains, and `authn` knows which of them may speak for whom.
 */

import { constants } from 'node:crypto';
import type { ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

import type { PresentedCredentials } from '../model/request.ts';

/** What the listener shows, and whose certificates it asks for. PEM; replaced as a whole while it runs. */
export type TlsMaterial = {
  readonly certificate: string;
  readonly key: string;
  /** Told to clients, so that they choose a certificate that can be accepted. */
  readonly authorities: readonly string[];
};

export type TlsOptions = { readonly material: TlsMaterial; readonly asksForCertificates: boolean };

type SecureContext = Pick<ServerOptions, 'cert' | 'key' | 'ca' | 'minVersion' | 'secureOptions'>;

/**
 * No tickets and no renegotiation where certificates are asked for: a resumed session brings the leaf without its chain, and
 * a renegotiated one could bring another leaf than the connection began with.
 */
const FRESH_CERTIFICATES = constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION;

export const secureContext = ({ material, asksForCertificates }: TlsOptions): SecureContext => ({
  cert: material.certificate,
  key: material.key,
  minVersion: 'TLSv1.2',
  // With an empty list OpenSSL would fall back to the public authorities.
  ...(asksForCertificates
    ? { ca: [...material.authorities], secureOptions: FRESH_CERTIFICATES }
    : { secureOptions: constants.SSL_OP_NO_RENEGOTIATION }),
});

export const secureServerOptions = (options: TlsOptions, handshakeTimeoutMs: number): ServerOptions => ({
  ...secureContext(options),
  handshakeTimeout: handshakeTimeoutMs,
  requestCert: options.asksForCertificates,
  rejectUnauthorized: false,
});

/** Certificates of one connection; longer chains are not a workload's, and `authn` refuses them. */
const MAX_CHAIN = 8;

type Presented = Pick<PresentedCredentials, 'certificates' | 'certificateFault'>;

const NONE: Presented = {};

/** What a connection presented cannot change while it lives, so it is read once, and `authn` remembers it by this object. */
const presentedOn = new WeakMap<Socket, Presented>();

export function certificatesOf(socket: Socket): Presented {
  if (!(socket instanceof TLSSocket)) return NONE;
  const known = presentedOn.get(socket);
  if (known !== undefined) return known;
  const presented = read(socket);
  presentedOn.set(socket, presented);
  return presented;
}

function read(socket: TLSSocket): Presented {
  const certificates: Uint8Array[] = [];
  let at = socket.getPeerX509Certificate();
  while (at !== undefined && certificates.length < MAX_CHAIN) {
    certificates.push(at.raw);
    at = at.issuerCertificate;
  }
  if (certificates.length === 0) return NONE;
  if (socket.authorized) return { certificates };
  // Node's types say Error; it is the text of OpenSSL's code for what went wrong.
  const fault: unknown = socket.authorizationError;
  return { certificates, certificateFault: typeof fault === 'string' ? fault : 'UNSPECIFIED' };
}
