/**
 * Adds a credential to every request and changes nothing else, the Host header included: the official suite has no way
 * to send one, and the gateway has no way to be open.
 */

import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';

export type CredentialProxy = {
  readonly port: number;
  /** Where requests go from now on. The proxy comes first, because the gateway has to know its address. */
  forwardTo(port: number, authorization: string): void;
  close(): Promise<void>;
};

export async function startCredentialProxy(): Promise<CredentialProxy> {
  let target = { port: 0, authorization: '' };
  const server = createServer((incoming, outgoing) => {
    const { method, url, rawHeaders } = incoming;
    const headers = [...rawHeaders, 'Authorization', target.authorization];
    const onward = httpRequest({ host: '127.0.0.1', port: target.port, method, path: url, headers }, (answer) => {
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
    forwardTo(port, authorization) {
      target = { port, authorization };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
