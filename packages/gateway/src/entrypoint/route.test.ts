import { describe, expect, test } from 'vitest';

import { routeOf } from './route.ts';

const aggregate = { kind: 'mcp', path: '/mcp', endpoint: { kind: 'aggregate' } };
const files = { kind: 'mcp', path: '/servers/files/mcp', endpoint: { kind: 'server', server: 'files' } };

describe('routeOf', () => {
  test.each([
    ['/mcp', aggregate],
    ['/mcp?x=1', aggregate],
    ['/servers/files/mcp', files],
    ['/.well-known/oauth-protected-resource', { kind: 'metadata', path: '' }],
    ['/.well-known/oauth-protected-resource/mcp', { kind: 'metadata', path: '/mcp' }],
    ['/.well-known/oauth-protected-resource/servers/a-1/mcp', { kind: 'metadata', path: '/servers/a-1/mcp' }],
  ])('finds %s', (target, route) => expect(routeOf(target)).toEqual(route));

  test.each([
    '',
    '/',
    '*',
    '/MCP',
    '/mcp/',
    '//mcp',
    '/./mcp',
    '/%6dcp',
    '/mcp#x',
    '/mcp;x',
    'http://evil.example.com/mcp',
    '/servers//mcp',
    '/servers/files',
    '/servers/files/mcp/',
    '/servers/Files/mcp',
    '/servers/fi_les/mcp',
    '/servers/fi.les/mcp',
    '/servers/../mcp',
    '/servers/files/../x/mcp',
    '/servers/fi%6ces/mcp',
    `/servers/${'a'.repeat(65)}/mcp`,
    '/servers/files/mcp\n',
    '/.well-known/oauth-protected-resource/',
    '/.well-known/oauth-protected-resourcex',
    '/.well-known/oauth-protected-resource/other',
    '/.well-known/oauth-protected-resource/.well-known/oauth-protected-resource',
  ])('finds nothing at %j', (target) => expect(routeOf(target)).toBeUndefined());
});
