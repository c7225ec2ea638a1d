/** What a trace tells of the connection and its headers, looked for only when a request is traced. */

import type { IncomingMessage } from 'node:http';

import type { Wire } from '../model/request.ts';
import type { JsonRpcId } from '../protocol/json-rpc.ts';

export class ArrivalWire implements Wire {
  readonly #request: IncomingMessage;
  readonly rpcId: JsonRpcId | undefined;

  constructor(request: IncomingMessage, rpcId: JsonRpcId | undefined) {
    this.#request = request;
    this.rpcId = rpcId;
  }

  get port(): number | undefined {
    return this.#request.socket.remotePort;
  }

  traceparent(): string | undefined {
    return this.#single('traceparent');
  }

  /** Several lines are one list (W3C Trace Context, section 3.3.1), and Node has joined them. */
  tracestate(): string | undefined {
    return this.#single('tracestate');
  }

  /** Sent twice, `traceparent` is joined to what is none. */
  #single(name: string): string | undefined {
    const value = this.#request.headers[name];
    return typeof value === 'string' ? value : undefined;
  }
}
