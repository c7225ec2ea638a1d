/** What can go wrong between the gateway and an authorization server. Messages hold no token, code or secret. */

export type OAuthFault =
  /** Nothing answered, or a server that is not well: it is tried again. */
  | 'unreachable'
  /** What it says of itself, or answers, cannot be used; somebody has to mend it. */
  | 'unsuitable'
  /** It does not know the gateway as a client, and the configuration does not say how. */
  | 'unregistered'
  /** It said no to what was asked. */
  | 'refused'
  /** What a browser brought is no answer to what was asked. */
  | 'invalid';

export class OAuthError extends Error {
  readonly fault: OAuthFault;

  constructor(fault: OAuthFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'OAuthError';
    this.fault = fault;
  }
}

/** A stranger's text, short and on one line, for messages and logs. */
export const quoted = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value) : typeof value;
