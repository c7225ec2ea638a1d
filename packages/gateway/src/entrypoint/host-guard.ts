/**
 * Which Host and Origin headers are taken. A browser that was lured to a page whose name resolves to our address (DNS
 * rebinding) still sends that page's name, so both lists are checked on loopback too (MCP, basic/transports, security).
 */

export type HostGuardOptions = {
  readonly publicUrl: string;
  /** `name` admits the name with any port, `name:port` only that port. */
  readonly allowedHosts: readonly string[];
  /** `https://app.example.com`: scheme, host and port where it is not the scheme's own. */
  readonly allowedOrigins: readonly string[];
  /** There when the listener speaks TLS. */
  readonly tls?: object;
};

export type HostGuard = {
  /** `host` is the header as it came; `port` is the one we listen on. */
  hostAllowed(host: string, port: number): boolean;
  originAllowed(origin: string, port: number): boolean;
};

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'] as const;
const HOST = /^(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/** @throws TypeError when an entry is not a host or an origin, or `publicUrl` not an absolute http(s) URL. */
export function createHostGuard(options: HostGuardOptions): HostGuard {
  const ownScheme = options.tls === undefined ? 'http://' : 'https://';
  const publicUrl = parsePublicUrl(options.publicUrl);
  const withAnyPort = new Set(options.allowedHosts.map(parseHost));
  const hosts = new Set([...withAnyPort, publicUrl.host]);
  // A client may spell out the port that the scheme implies.
  if (publicUrl.port === '') hosts.add(`${publicUrl.host}:${publicUrl.protocol === 'https:' ? 443 : 80}`);
  const origins = new Set(options.allowedOrigins.map(parseOrigin));
  origins.add(publicUrl.origin);

  const isOurLoopback = (host: string, port: number): boolean =>
    LOOPBACK_NAMES.some((name) => host === `${name}:${port}` || (port === 80 && host === name));

  return {
    hostAllowed(host, port) {
      const name = host.toLowerCase();
      if (hosts.has(name) || isOurLoopback(name, port)) return true;
      const colon = name.lastIndexOf(':');
      return colon > 0 && HOST.test(name) && withAnyPort.has(name.slice(0, colon));
    },
    originAllowed(origin, port) {
      if (origins.has(origin)) return true;
      return origin.startsWith(ownScheme) && isOurLoopback(origin.slice(ownScheme.length), port);
    },
  };
}

function parsePublicUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new TypeError(`publicUrl must be an absolute http or https URL, not ${text}`);
  }
  return url;
}

function parseHost(text: string): string {
  const host = text.toLowerCase();
  if (!HOST.test(host)) throw new TypeError(`allowedHosts: "${text}" is not a host name. Write name or name:port`);
  return host;
}

function parseOrigin(text: string): string {
  if (URL.parse(text)?.origin !== text) {
    throw new TypeError(`allowedOrigins: "${text}" is not a web origin. Write it like https://app.example.com`);
  }
  return text;
}
