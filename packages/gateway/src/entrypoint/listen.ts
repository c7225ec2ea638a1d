/** Binds a server to its address, and says in plain words why that failed. */

import type { Server } from 'node:http';

export type ListenAddress = { readonly host: string; readonly port: number };

export type ListenProblem = 'in-use' | 'not-permitted' | 'no-such-address' | 'other';

/** The address cannot be listened on. The message says what to change; the fields let a command say what to type. */
export class ListenError extends Error {
  readonly problem: ListenProblem;
  readonly address: ListenAddress;

  constructor(problem: ListenProblem, address: ListenAddress, cause: unknown) {
    super(messageOf(problem, address), { cause });
    this.name = 'ListenError';
    this.problem = problem;
    this.address = address;
  }
}

function messageOf(problem: ListenProblem, { host, port }: ListenAddress): string {
  switch (problem) {
    case 'in-use':
      return `Port ${port} on ${host} is already in use. Stop the program that uses it, or choose another port.`;
    case 'not-permitted':
      return `This user may not listen on port ${port} of ${host}. Choose a port above 1023.`;
    case 'no-such-address':
      return `${host} is not an address of this machine. Listen on 127.0.0.1, or on 0.0.0.0 for all addresses.`;
    case 'other':
      return `The gateway cannot listen on ${host}, port ${port}.`;
  }
}

const PROBLEMS: ReadonlyMap<string, ListenProblem> = new Map<string, ListenProblem>([
  ['EADDRINUSE', 'in-use'],
  ['EACCES', 'not-permitted'],
  ['EADDRNOTAVAIL', 'no-such-address'],
  ['ENOTFOUND', 'no-such-address'],
]);

/**
 * Listens, and resolves to the address with the port that was bound (port 0 asks for any).
 *
 * @throws ListenError
 */
export function listen(server: Server, address: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      server.off('listening', onListening);
      reject(new ListenError(PROBLEMS.get(error.code ?? '') ?? 'other', address, error));
    };
    const onListening = (): void => {
      server.off('error', onError);
      const bound = server.address();
      const port = typeof bound === 'object' && bound !== null ? bound.port : address.port;
      resolve({ host: address.host, port });
    };
    server.once('error', onError).once('listening', onListening).listen(address.port, address.host);
  });
}
