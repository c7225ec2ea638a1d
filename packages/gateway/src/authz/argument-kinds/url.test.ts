import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { judgeUrl, type UrlFacts } from './url.ts';

const facts = (text: string): UrlFacts | undefined => {
  const result = judgeUrl(text, ['http', 'https']);
  return result.ok ? result.value : undefined;
};

const why = (text: string): string => {
  const result = judgeUrl(text, ['http', 'https']);
  return result.ok ? '' : result.error;
};

describe('a URL in its one spelling', () => {
  it('is seen in parts', () => {
    expect(facts('https://api.example.com:8443/v1/a%20b?q=%2F..&x#top')).toEqual({
      scheme: 'https',
      host: 'api.example.com',
      port: 8443,
      path: '/v1/a%20b',
      query: 'q=%2F..&x',
      fragment: 'top',
      isIp: false,
      isPrivate: false,
    });
  });

  it('has the port of its scheme, and the root as its path', () => {
    expect(facts('https://example.com')).toMatchObject({ port: 443, path: '/', query: '', fragment: '' });
    expect(facts('http://example.com/')).toMatchObject({ port: 80, path: '/' });
  });

  it('shows an international name as punycode', () => {
    expect(facts('https://xn--bcher-kva.example/')).toMatchObject({ host: 'xn--bcher-kva.example' });
    expect(why('https://bücher.example/')).toContain('punycode');
  });

  it.each([
    ['http://127.0.0.1/', true, true],
    ['http://10.1.2.3/', true, true],
    ['http://169.254.169.254/latest/meta-data', true, true],
    ['http://[::1]/', true, true],
    ['http://[::ffff:7f00:1]/', true, true],
    ['http://93.184.215.14/', true, false],
    ['http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/', true, false],
    ['http://localhost/', false, true],
    ['http://db/', false, true],
    ['http://vault.internal/', false, true],
    ['http://printer.local/', false, true],
    ['http://example.com/', false, false],
    ['http://localhost.example.com/', false, false],
  ])('%s: an address %s, private %s', (text, isIp, isPrivate) =>
    expect(facts(text)).toMatchObject({ isIp, isPrivate }),
  );
});

describe('a URL that could be read in two ways is refused', () => {
  it.each([
    // What the parser repairs in silence.
    ['https://example.com\\@evil.example/', 'backslash'],
    ['https:/example.com/', 'normal form'],
    ['https:example.com', 'normal form'],
    ['https:///example.com/', 'normal form'],
    ['HTTPS://example.com/', 'normal form'],
    ['https://EXAMPLE.com/', 'normal form'],
    ['https://example.com:443/', 'normal form'],
    ['https://example.com:/', 'normal form'],
    ['https://example.com/a/../b', 'normal form'],
    ['https://example.com/./a', 'normal form'],
    ['https://example.com/%2e%2e/b', 'normal form'],
    ['https://example.com?x', 'normal form'],
    [' https://example.com/', 'spaces'],
    ['https://exa\tmple.com/', 'spaces'],
    ['https://exa\nmple.com/', 'spaces'],
    ['https://ｅxample.com/', 'ASCII'],
    ['https://example。com/', 'ASCII'],
    ['https://example.com/ü', 'ASCII'],
    // Who is asked.
    ['https://user@example.com/', 'user name'],
    ['https://user:pw@example.com/', 'user name'],
    ['https://@example.com/', 'user name'],
    ['https://example.com@evil.example/', 'user name'],
    // Hosts with another spelling.
    ['http://0x7f.0.0.1/', 'normal form'],
    ['http://0177.0.0.1/', 'normal form'],
    ['http://127.1/', 'normal form'],
    ['http://2130706433/', 'normal form'],
    ['http://127.0.0.1./', 'normal form'],
    ['http://[::ffff:127.0.0.1]/', 'normal form'],
    ['http://[0:0:0:0:0:0:0:1]/', 'normal form'],
    ['http://[fe80::1%25eth0]/', 'no absolute URL'],
    ['https://example.com./', 'final dot'],
    ['https://exa$mple.com/', 'plain name'],
    ['https://-example.com/', 'plain name'],
    // Paths that decode to another one.
    ['https://example.com/a%2fb', 'encodes'],
    ['https://example.com/a%5cb', 'encodes'],
    ['https://example.com/%252e%252e/b', 'encodes'],
    ['https://example.com/%61dmin', 'encodes'],
    ['https://example.com/a%2Eb', 'encodes'],
    ['https://example.com/a%c3%bc', 'encodes'],
    ['https://example.com/a%00', 'encodes'],
    ['https://example.com/a%zz', 'encodes'],
    ['https://example.com/%C0%AE', 'decode'],
    ['https://example.com/%EF%BC%8F', 'look like'],
    ['https://example.com/a//b', '"//"'],
    ['https://example.com/a/..;/b', '".."'],
    // Other schemes, and none.
    ['file:///etc/passwd', 'scheme'],
    ['ftp://example.com/', 'scheme'],
    ['data:text/plain,x', 'scheme'],
    ['javascript:alert(1)', 'scheme'],
    ['//example.com/', 'no absolute URL'],
    ['example.com', 'no absolute URL'],
    ['', 'no absolute URL'],
    [`https://example.com/${'a'.repeat(8_200)}`, 'longer than'],
  ])('%j', (text, reason) => {
    expect(why(text)).toContain(reason);
  });
});

const piece = fc.constantFrom(
  'https://',
  'http:',
  '/',
  '//',
  '\\',
  '@',
  ':',
  '?',
  '#',
  '.',
  '..',
  '%2e',
  '%2F',
  '%25',
  'example.com',
  'evil.example',
  '127.1',
  '0x7f',
  '[::1]',
  'a',
  ';',
  '\t',
  ' ',
  'ＥX',
  ':443',
  ':80',
  'user',
);

describe('every accepted URL', () => {
  it('is the same to the parser again, names the host that it shows, and has no other reading', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 10 }).map((parts) => parts.join('')),
          fc.array(piece, { maxLength: 8 }).map((parts) => `https://example.com${parts.join('')}`),
          fc.webUrl({ withFragments: true, withQueryParameters: true }),
        ),
        (text) => {
          const seen = facts(text);
          if (seen === undefined) return;
          const url = new URL(text);
          expect(url.username + url.password).toBe('');
          // The plainest reader of all: from `//` to the next delimiter, without a port.
          const naive = /^[a-z]+:\/\/(\[[^\]]*\]|[^/?#:]*)/.exec(text)?.[1] ?? '';
          expect(naive.replace(/^\[|\]$/g, '')).toBe(seen.host);
          expect(decodeURIComponent(url.pathname).split('/')).not.toContain('..');
          expect(seen.path.startsWith('/')).toBe(true);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});
