/** Reads what a `WWW-Authenticate: Bearer` says about where to log in and for what (RFC 6750 section 3, RFC 9728 section 5.1). */

export type ReadChallenge = {
  readonly resourceMetadata?: string;
  readonly scope?: string;
  readonly error?: string;
};

/** `name="value"` or `name=value`; the first one of a name counts. */
export function readChallenge(header: string | undefined): ReadChallenge {
  const [, parameters = ''] = /(?:^|,\s*)bearer\s+(.*)$/is.exec(header ?? '') ?? [];
  const found = new Map<string, string>();
  for (const [, name = '', quoted, plain] of parameters.matchAll(/([a-z_]+)\s*=\s*(?:"([^"]*)"|([^\s",]+))/gi)) {
    if (!found.has(name.toLowerCase())) found.set(name.toLowerCase(), quoted ?? plain ?? '');
  }
  const resourceMetadata = found.get('resource_metadata');
  const scope = found.get('scope');
  const error = found.get('error');
  return {
    ...(resourceMetadata === undefined ? {} : { resourceMetadata }),
    ...(scope === undefined ? {} : { scope }),
    ...(error === undefined ? {} : { error }),
  };
}
