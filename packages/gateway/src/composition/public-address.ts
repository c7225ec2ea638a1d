/** Where the gateway listens and what clients type, both known before anything listens. */

import { createServer } from 'node:net';

import type { Config, ListenAddress } from '../config/config.ts';

export type PublicAddress = { readonly listen: ListenAddress; readonly publicUrl: string };

export async function choosePublicAddress(
  config: Pick<Config, 'listen' | 'tls' | 'publicUrl'>,
): Promise<PublicAddress> {
  const listen = await withFreePort(config.listen);
  if (listen.port === config.listen.port) return { listen, publicUrl: config.publicUrl };
  const scheme = config.tls === undefined ? 'http' : 'https';
  return { listen, publicUrl: `${scheme}://${listen.host}:${listen.port}` };
}

/** Port 0 is chosen here and not by the listener, because the public URL is part of everything that is sealed and issued. */
async function withFreePort(address: ListenAddress): Promise<ListenAddress> {
  if (address.port !== 0) return address;
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, address.host, resolve);
  });
  const bound = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (bound === null || typeof bound === 'string') throw new Error(`${address.host} gave no port`);
  return { host: address.host, port: bound.port };
}
