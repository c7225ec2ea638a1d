/** Our own refusals over the API, as problem details (RFC 9457). The code is the one of `model/failure.ts`. */

import { FAILURES, failureMessage, type Failure, type FailureCode } from '../../model/failure.ts';

/** Failures that MCP answers with 200, because there the error is the JSON-RPC body's matter. */
const HTTP_STATUS: Partial<Readonly<Record<FailureCode, number>>> = {
  forbidden: 403,
  'invalid-params': 400,
  'invalid-cursor': 400,
  'invalid-state': 409,
  'approval-required': 403,
  'approval-refused': 403,
  'needs-login': 403,
};

export const statusOf = (code: FailureCode): number => HTTP_STATUS[code] ?? FAILURES[code].status;

/** RFC 9457 section 3.2: members beside the standard ones. `fault` is which rule of approvals it was. */
export function problemOf(failure: Failure, requestId: string): Readonly<Record<string, unknown>> {
  const status = statusOf(failure.code);
  return {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    detail: failureMessage(failure),
    code: failure.code,
    requestId,
    ...failure.data,
  };
}

export const PROBLEM_TYPE = 'application/problem+json';

export function retryAfter({ retryAfterMs }: Failure): readonly string[] {
  return retryAfterMs === undefined ? [] : ['Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000)))];
}

/** RFC 9457 section 4.2.1: with `about:blank` the title is the status' own. */
const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};
