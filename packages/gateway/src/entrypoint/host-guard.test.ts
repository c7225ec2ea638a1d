import { describe, expect, test } from 'vitest';

import { createHostGuard } from './host-guard.ts';

const guard = createHostGuard({
  publicUrl: 'https://gw.example.com',
  allowedHosts: ['inner.example.com', 'pinned.example.com:8443', '[fd00::1]'],
  allowedOrigins: ['https://app.example.com', 'http://dev.example.com:3000'],
});
const PORT = 8080;

describe('hostAllowed', () => {
  test.each([
    'gw.example.com',
    'GW.example.COM',
    'gw.example.com:443',
    'inner.example.com',
    'inner.example.com:9',
    'pinned.example.com:8443',
    '[fd00::1]',
    '[fd00::1]:8080',
    'localhost:8080',
    '127.0.0.1:8080',
    '[::1]:8080',
  ])('takes %s', (host) => expect(guard.hostAllowed(host, PORT)).toBe(true));

  test.each([
    '',
    'evil.example.com',
    'gw.example.com:8080',
    'gw.example.com.evil.com',
    'evilgw.example.com',
    'gw.example.com?x',
    'gw.example.com#x',
    'gw.example.com/',
    'a?gw.example.com',
    'user@gw.example.com',
    'gw.example.com ',
    'gw.example.com, gw.example.com',
    'inner.example.com:',
    'inner.example.com:9:9',
    'inner.example.com:99999999',
    'pinned.example.com',
    'pinned.example.com:80',
    'localhost',
    'localhost:8081',
    '127.0.0.1',
    '127.1:8080',
    '0.0.0.0:8080',
    '[::1]',
    '[::ffff:127.0.0.1]:8080',
  ])('refuses %j', (host) => expect(guard.hostAllowed(host, PORT)).toBe(false));

  test('takes a loopback name without a port when we listen on port 80', () => {
    expect(guard.hostAllowed('localhost', 80)).toBe(true);
  });
});

describe('originAllowed', () => {
  test.each([
    'https://gw.example.com',
    'https://app.example.com',
    'http://dev.example.com:3000',
    'http://localhost:8080',
    'http://127.0.0.1:8080',
  ])('takes %s', (origin) => expect(guard.originAllowed(origin, PORT)).toBe(true));

  test.each([
    'null',
    '',
    'http://gw.example.com',
    'https://gw.example.com:8443',
    'https://app.example.com.evil.com',
    'https://app.example.com/',
    'HTTPS://APP.EXAMPLE.COM',
    'http://dev.example.com',
    'http://localhost',
    'http://localhost:3000',
    'https://localhost:8080',
    'http://evil.example.com',
    'file://',
  ])('refuses %j', (origin) => expect(guard.originAllowed(origin, PORT)).toBe(false));
});

describe('createHostGuard', () => {
  const base = { publicUrl: 'https://gw.example.com', allowedHosts: [], allowedOrigins: [] };
  test.each([
    ['a public URL that is none', { ...base, publicUrl: 'gw.example.com' }, 'publicUrl'],
    ['a public URL of another scheme', { ...base, publicUrl: 'ftp://gw.example.com' }, 'publicUrl'],
    ['a host with a path', { ...base, allowedHosts: ['a.example.com/x'] }, 'allowedHosts'],
    ['any host', { ...base, allowedHosts: ['*'] }, 'allowedHosts'],
    ['an origin with a path', { ...base, allowedOrigins: ['https://a.example.com/'] }, 'allowedOrigins'],
    ['any origin', { ...base, allowedOrigins: ['*'] }, 'allowedOrigins'],
    ['the origin null', { ...base, allowedOrigins: ['null'] }, 'allowedOrigins'],
  ])('refuses %s', (_name, options, named) => expect(() => createHostGuard(options)).toThrow(named));
});
