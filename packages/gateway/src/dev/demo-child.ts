/**
 * Loaded before a server of the demo (`node --import`): keeps it on loopback, tells the port it got to the parent, and ends
 * it when the parent is gone, however that ended.
 */

import { Server } from 'node:net';
import process from 'node:process';

// oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
const { listen } = Server.prototype;

/** The servers of others listen on every address of the machine; a demo has no business there. */
function listenOnLoopback(this: Server, port: unknown, ...rest: unknown[]): Server {
  this.once('listening', () => {
    const address = this.address();
    if (typeof address === 'object') process.send?.({ port: address?.port });
  });
  const onListening = rest.find((argument) => typeof argument === 'function');
  if (onListening !== undefined) this.once('listening', () => void Reflect.apply(onListening, this, []));
  return listen.call(this, { port: Number(port), host: '127.0.0.1' });
}

Reflect.set(Server.prototype, 'listen', listenOnLoopback);
process.on('disconnect', () => process.exit(0));
