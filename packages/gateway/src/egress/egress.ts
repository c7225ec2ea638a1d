/**
 * The one way out over HTTP: kept-alive connections, guarded and pinned addresses, no redirects, no decompression. A
 * request is answered through callbacks, without a promise or a stream of its own: it is on the hot path.
 */

import { isIP } from 'node:net';
import { rootCertificates } from 'node:tls';
import buildConnector from 'undici/lib/core/connect.js';
import Agent from 'undici/lib/dispatcher/agent.js';
import { assertAddress, assertUrl, createGuardedLookup, resolveWithSystem } from './address-guard.ts';
import type { EgressPolicy, Resolve } from './address-guard.ts';
import { EgressError } from './egress-error.ts';
import { fetchJson } from './fetch-json.ts';
import type { FetchedJson, FetchJsonOptions } from './fetch-json.ts';

export type EgressOptions = {
  /** Time for a TCP and TLS handshake. Default 5,000. */
  readonly connectTimeoutMs?: number;
  /** How long an idle connection is kept when the server does not say. Default 4,000: many servers close at 5,000. */
  readonly keepAliveMs?: number;
  /** Connections to one origin; more requests wait for one. Default 256. */
  readonly connectionsPerOrigin?: number;
  /** Event streams that stay open, to one origin. Default 4,096. */
  readonly streamsPerOrigin?: number;
  /** Origins with open connections at a time. Default 1,024. */
  readonly maxOrigins?: number;
  /** Bytes of response headers. Default 32 KiB. */
  readonly maxHeaderBytes?: number;
  /** Default: the system's resolver. */
  readonly resolve?: Resolve;
  /** Authorities as PEM that are trusted beside those that Node brings. */
  readonly ca?: string;
};

export type EgressRequest = {
  /** Scheme, host and port, as `URL.origin` writes them. */
  readonly origin: string;
  readonly path: string;
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Names and values in turn. */
  readonly headers: string[];
  readonly body?: string | Uint8Array;
  /** The answer is an event stream that stays open: it takes no connection from requests that are answered soon. */
  readonly isLong?: boolean;
};

export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Holds the reins of a running exchange. */
export interface ExchangeController {
  pause(): void;
  resume(): void;
  /** Ends the exchange; `onResponseError` is told the reason. */
  abort(reason: Error): void;
}

/**
 * Told of an exchange as it goes. The methods are named as undici's are, so that no wrapper stands between: start, head,
 * pieces, then either end or error. After an error nothing follows.
 */
export interface ExchangeHandler {
  /** A connection is there and the request is about to be written: from now on it may have reached the server. */
  onRequestStart(controller: ExchangeController): void;
  onResponseStart(controller: ExchangeController, status: number, headers: ResponseHeaders): void;
  /** The piece may be kept; it is never written to again. */
  onResponseData(controller: ExchangeController, piece: Uint8Array): void;
  onResponseEnd(controller: ExchangeController): void;
  /** See `toEgressError`. */
  onResponseError(controller: ExchangeController, error: Error): void;
}

export interface Egress {
  /**
   * Sends a request. What goes wrong is told to the handler, possibly before this returns. There is no timeout beyond the
   * connect timeout: the caller holds the clock. Send `accept-encoding: identity`: nothing is decompressed here.
   */
  dispatch(policy: EgressPolicy, request: EgressRequest, handler: ExchangeHandler): void;
  /** Gets a small JSON document. @throws EgressError */
  fetchJson(url: string | URL, options: FetchJsonOptions): Promise<FetchedJson>;
  /** Ends all connections at once; running exchanges are told. */
  close(): Promise<void>;
}

const positive = (name: string, value: number): number => {
  if (!(Number.isSafeInteger(value) && value > 0)) throw new RangeError(`egress: ${name} must be a positive integer`);
  return value;
};

type Limits = Required<Omit<EgressOptions, 'resolve' | 'ca'>> & {
  readonly resolve: Resolve;
  readonly ca: readonly string[] | undefined;
};

function createAgent(policy: EgressPolicy, limits: Limits): Agent {
  const connect = buildConnector({
    timeout: limits.connectTimeoutMs,
    allowH2: false,
    autoSelectFamily: true,
    lookup: createGuardedLookup(policy, limits.resolve),
    ...(limits.ca === undefined ? {} : { ca: [...limits.ca] }),
  });
  return new Agent({
    allowH2: false,
    pipelining: 1,
    connections: limits.connectionsPerOrigin,
    maxOrigins: limits.maxOrigins,
    keepAliveTimeout: limits.keepAliveMs,
    maxHeaderSize: limits.maxHeaderBytes,
    // The clock is the caller's: one timer for the whole call instead of several for its parts.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (options, callback) => {
      // A literal address is connected to without a lookup, so it is judged here.
      const host = options.hostname.replace(/^\[|\]$/g, '');
      try {
        if (isIP(host) !== 0) assertAddress(policy, host, host);
      } catch (error) {
        callback(error instanceof Error ? error : new Error(String(error)), null);
        return;
      }
      connect(options, callback);
    },
  });
}

const noController: ExchangeController = { pause: () => undefined, resume: () => undefined, abort: () => undefined };

/** The way out for the whole process. @throws RangeError for an option that is not a positive integer. */
export function createEgress(options: EgressOptions = {}): Egress {
  const limits: Limits = {
    connectTimeoutMs: positive('connectTimeoutMs', options.connectTimeoutMs ?? 5_000),
    keepAliveMs: positive('keepAliveMs', options.keepAliveMs ?? 4_000),
    connectionsPerOrigin: positive('connectionsPerOrigin', options.connectionsPerOrigin ?? 256),
    streamsPerOrigin: positive('streamsPerOrigin', options.streamsPerOrigin ?? 4_096),
    maxOrigins: positive('maxOrigins', options.maxOrigins ?? 1_024),
    maxHeaderBytes: positive('maxHeaderBytes', options.maxHeaderBytes ?? 32 * 1024),
    resolve: options.resolve ?? resolveWithSystem,
    ca: options.ca === undefined ? undefined : [...rootCertificates, options.ca],
  };
  const agents = { configured: createAgent('configured', limits), discovered: createAgent('discovered', limits) };
  // Only servers of the configuration are listened to.
  const streams = createAgent('configured', { ...limits, connectionsPerOrigin: limits.streamsPerOrigin });

  const dispatch: Egress['dispatch'] = (policy, request, handler) => {
    try {
      if (policy === 'discovered') assertUrl(policy, new URL(request.origin));
      if (request.isLong !== true) agents[policy].dispatch(request, handler);
      else if (policy === 'configured') streams.dispatch(request, handler);
      else throw new EgressError('refused', 'a URL that was not named in the configuration is not listened to');
    } catch (error) {
      handler.onResponseError(noController, error instanceof Error ? error : new Error(String(error)));
    }
  };

  return {
    dispatch,
    fetchJson: (url, fetchOptions) => fetchJson(dispatch, url, fetchOptions),
    close: async () => {
      const reason = new EgressError('aborted', 'the gateway is shutting down');
      await Promise.all([...Object.values(agents), streams].map((agent) => agent.destroy(reason)));
    },
  };
}
