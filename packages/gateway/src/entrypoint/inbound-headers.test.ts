import { describe, expect, test } from 'vitest';

import { acceptsJsonAndStream, bearerToken, isJsonContentType, readHeaders } from './inbound-headers.ts';

describe('readHeaders', () => {
  test('reads names in any case', () => {
    const headers = readHeaders(['HOST', 'a', 'Authorization', 'Bearer x', 'content-LENGTH', '12']);
    expect(headers).toMatchObject({ host: 'a', authorization: 'Bearer x', contentLength: 12, repeated: undefined });
  });

  test('reads several Accept lines as one list', () => {
    expect(readHeaders(['Accept', 'a/b', 'accept', 'c/d']).accept).toBe('a/b, c/d');
  });

  test.each(['Host', 'Origin', 'Authorization', 'Content-Type', 'Content-Encoding'])(
    'says when %s came twice, in whatever case and even when both are equal',
    (name) => {
      expect(readHeaders([name, 'x', name.toUpperCase(), 'x']).repeated).toBe(name.toLowerCase());
    },
  );
});

describe('bearerToken', () => {
  test.each([
    ['Bearer abc', 'abc'],
    ['bearer abc', 'abc'],
    ['BEARER  a.b-c_d~e+f/g== ', 'a.b-c_d~e+f/g=='],
    ['Basic YTpi', undefined],
    ['Bearer', undefined],
    ['Bearer ', undefined],
    ['Bearer a b', undefined],
    ['Bearer a, Bearer b', undefined],
    ['Bearer =a', undefined],
    ['Bearerabc', undefined],
  ])('reads %j as %j', (authorization, token) => expect(bearerToken(authorization)).toBe(token));
});

describe('acceptsJsonAndStream', () => {
  test.each([
    [undefined, true],
    ['*/*', true],
    ['application/json, text/event-stream', true],
    ['text/event-stream,application/json;q=0.5', true],
    ['APPLICATION/JSON, Text/Event-Stream', true],
    ['application/*, text/*', true],
    ['application/json', false],
    ['text/event-stream', false],
    ['text/html, application/xhtml+xml', false],
    ['application/json, text/event-stream;q=0', false],
    ['application/json, text/event-stream; q=0.0', false],
    ['application/jsonx, text/event-streams', false],
    ['', false],
  ])('%j: %s', (accept, accepted) => expect(acceptsJsonAndStream(accept)).toBe(accepted));
});

describe('isJsonContentType', () => {
  test.each([
    ['application/json', true],
    ['Application/JSON; charset=utf-8', true],
    ['application/json-rpc', false],
    ['text/plain', false],
    ['text/plain; application/json', false],
    [undefined, false],
  ])('%j: %s', (contentType, isJson) => expect(isJsonContentType(contentType)).toBe(isJson));
});
