/** A client with a certificate: one connection for each request, or one that stays open. */

import { request as httpsRequest, Agent } from 'node:https';
import type { TLSSocket } from 'node:tls';

import type { Issued } from '../../packages/gateway/src/authn/certificates.fixture.ts';
import type { HttpAnswer, HttpRequest, JsonRpcAnswer } from '../harness/http.ts';

export type TlsAnswer = HttpAnswer & {
  /** Subject of the certificate that the gateway showed. */
  readonly shown: string;
};

export type TlsClient = {
  send(url: string, request: HttpRequest): Promise<TlsAnswer>;
  close(): void;
};

export type TlsClientOptions = {
  /** PEM. */
  readonly trusted: string;
  readonly certificate?: Issued | undefined;
  readonly keepAlive?: boolean;
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
};

export function createTlsClient({ trusted, certificate, keepAlive = false, maxVersion }: TlsClientOptions): TlsClient {
  const agent = new Agent({
    keepAlive,
    maxSockets: 1,
    ca: trusted,
    ...(certificate === undefined ? {} : { cert: certificate.chain, key: certificate.key }),
    ...(maxVersion === undefined ? {} : { maxVersion, minVersion: 'TLSv1' }),
  });
  return {
    send: (url, { method = 'POST', headers = {}, body }) =>
      new Promise((resolve, reject) => {
        const request = httpsRequest(url, { method, headers, agent }, (response) => {
          const chunks: Buffer[] = [];
          const socket = response.socket as TLSSocket;
          const shown = String(socket.getPeerCertificate().subject?.CN);
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            const status = response.statusCode ?? 0;
            resolve({ status, headers: response.headers, text, json: parse(text), shown });
          });
        });
        request.on('error', reject);
        request.end(body);
      }),
    close: () => agent.destroy(),
  };
}

function parse(text: string): JsonRpcAnswer | undefined {
  try {
    return JSON.parse(text) as JsonRpcAnswer;
  } catch {
    return undefined;
  }
}
