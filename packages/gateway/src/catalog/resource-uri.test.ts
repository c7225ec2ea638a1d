import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isAskableUri, templateMatcher } from './resource-uri.ts';

describe('isAskableUri', () => {
  it.each([
    'file:///srv/a',
    'test://static/resource',
    'urn:isbn:1',
    'https://x.example/a%20b?q=..x&r=1',
    'file:///a/...',
    'file:///a.b/..c',
    'mem://100%25',
  ])('takes %s', (uri) => expect(isAskableUri(uri)).toBe(true));
  it.each([
    '',
    'file:///docs/../etc/passwd',
    'file:///docs/%2e%2e/etc/passwd',
    'file:///docs/%2E./etc/passwd',
    'file:///docs%2f..%2fetc',
    'file:///docs/%252e%252e/etc',
    'file:///docs\\..\\etc',
    'file:///docs%5c..%5cetc',
    'file:///docs/./a',
    'file:///docs/..',
    'file:///a\u0000b',
    'file:///a\nb',
    'file:///\ud800',
    `file:///${'a'.repeat(9_000)}`,
    `file:///%${'25'.repeat(20)}2e`,
  ])('refuses %j', (uri) => expect(isAskableUri(uri)).toBe(false));
});

describe('templateMatcher', () => {
  it.each([
    ['test://template/{id}/data', 'test://template/123/data', true],
    ['test://template/{id}/data', 'test://template/1/2/data', false],
    ['test://template/{id}/data', 'test://template/123/datax', false],
    ['file:///{name}.{extension}', 'file:///a.b.c', true],
    ['file:///{+path}', 'file:///a/b/c', true],
    ['db://{table}/rows{?limit}', 'db://users/rows?limit=3', true],
    ['db://{table}', 'dc://users', false],
    ['db://users', 'db://users', true],
    ['db://users', 'db://users/1', false],
    ['a:{x}b', 'a:b', true],
    ['a:b{x}b', 'a:b', false],
  ])('%s against %s: %s', (template, uri, expected) => {
    expect(templateMatcher(template)?.(uri)).toBe(expected);
  });

  it.each(['{uri}', '{+scheme}://{path}', 'no-scheme/{x}'])('does not let %s claim every URI', (template) => {
    expect(templateMatcher(template)).toBeUndefined();
  });

  it('knows every expansion of its own', () => {
    const literal = fc.stringMatching(/^[a-z/.]{0,4}$/);
    const value = fc.stringMatching(/^[a-z.0-9-]{0,5}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(literal, value), { maxLength: 6 }), literal, (pairs, last) => {
        const template = `x:${pairs.map(([text], index) => `${text}{v${index}}`).join('')}${last}`;
        const uri = `x:${pairs.map(([text, expansion]) => text + expansion).join('')}${last}`;
        expect(templateMatcher(template)?.(uri)).toBe(true);
      }),
    );
  });

  it('stays quick on a template made to be slow', () => {
    const matches = templateMatcher(`a:${'{x}a'.repeat(500)}{x}b`);
    expect(matches?.(`a:${'a'.repeat(8_000)}c`)).toBe(false);
  });
});
