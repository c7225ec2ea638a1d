/**
 * Adds a credential to every request and changes nothing else, the Host header included: the official suite has no way
 * to send one, and the gateway has no way to be open.
 */

import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

export type CredentialProxy = { readonly port: number; close(): Promise<void> };

export async function startCredentialProxy(targetPort: number, authorization: string): Promise<CredentialProxy> {
  const server = createServer((incoming, outgoing) => {
    const { method, url, rawHeaders } = incoming;
    const headers = [...rawHeaders, 'Authorization', authorization];
    const onward = httpRequest({ host: '127.0.0.1', port: targetPort, method, path: url, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      answer.pipe(outgoing);
      answer.on('error', () => outgoing.destroy());
    });
    onward.on('error', () => outgoing.destroy());
    outgoing.on('close', () => onward.destroy());
    incoming.pipe(onward);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
