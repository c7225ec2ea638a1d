import { describe, expect, it } from 'vitest';

import { secretInArguments, secretInText, secretInValue } from './literal-secret.ts';

describe('a value under headers or env', () => {
  it.each([
    ['X-Api-Key', 'changeme'],
    ['X-Api-Key', 'YOUR_API_KEY'],
    ['X-Thing', 'your-token-here'],
    ['X-Thing', '<token>'],
    ['X-Thing', 'xxx'],
    ['X-Thing', '${TOKEN}'],
    ['Authorization', 'Bearer abc'],
    ['X-Thing', 'Basic dXNlcjpwYXNz'],
    ['GITHUB', 'ghp_0123456789abcdefghijABCDEFGHIJ012345'],
    ['OPENAI', 'sk-proj-abc'],
    ['AWS', 'AKIAIOSFODNN7EXAMPLE'],
    ['ANY', 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl'],
    ['ANY', '-----BEGIN PRIVATE KEY-----\nMIIE'],
    ['ANY', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
    ['ANY', 'Zk3Jq8Lw2Xv9Pb7Tn5Rd1Mc4'],
    ['ANY', '/hooks/Zk3Jq8Lw2Xv9Pb7Tn5Rd1Mc4'],
    ['DB_URL', 'postgres://app:hunter2@db.internal/app'],
    ['DB_PASSWORD', 'hunter2'],
    ['SERVICE_TOKEN', 'abc'],
    ['Cookie', 'a=b'],
  ])('%s: %s is refused', (name, value) => {
    const found = secretInValue(name, value);
    expect(found).toBeDefined();
    expect(found?.mend).toMatch(/env:[A-Z]/);
    expect(`${found?.message}${found?.mend}`).not.toContain('hunter2');
  });

  it.each([
    ['LOG_LEVEL', 'info'],
    ['X-Tenant', '3f2504e0-4f89-41d3-9a0c-0305e82c3301'],
    ['TOKEN_LIMIT', '500'],
    ['NODE_ENV', 'production'],
    ['DATA_DIR', '/srv/data/files/of/the/engineering/department'],
    ['DATA_DIR', '/tmp/build-x7KqT2/servers/v2/Files'],
    ['DATA_DIR', '/tmp/sallyport-sidecar-AB12cd'],
    ['DATA_DIR', './Releases/2026-08-31T10/build-42'],
    ['MODEL', 'some-very-long-model-name-with-words'],
    ['DB_URL', 'postgres://db.internal/app'],
    ['REGION', 'eu-central-1'],
  ])('%s: %s is fine', (name, value) => {
    expect(secretInValue(name, value)).toBeUndefined();
  });
});

describe('a command line', () => {
  it.each([
    [['--password=hunter2']],
    [['--api-key', 'abc']],
    [['--db-password', 'abc']],
    [['--token', 'env:TOKEN']],
    [['https://user:pass@example.com/x']],
    [['--url=https://user:pass@example.com/x']],
    [['API_KEY=abc']],
    [['ghp_0123456789abcdefghijABCDEFGHIJ012345']],
  ])('%j is refused', (args) => {
    const found = secretInArguments(args);
    expect(found).toBeDefined();
    expect(found?.finding.mend).toContain('under env');
    expect(JSON.stringify(found)).not.toMatch(/hunter2|user:pass/);
  });

  it.each([
    [['-y', '@modelcontextprotocol/server-filesystem@2026.8.31', './examples/files']],
    [['--port', '3001', '--verbose']],
    [['--token-limit', '500']],
    [['--password-file', '/run/secrets/db']],
    [['https://example.com/a@b']],
  ])('%j is fine', (args) => {
    expect(secretInArguments(args)).toBeUndefined();
  });
});

describe('any other text', () => {
  it('is refused only when it is certain', () => {
    expect(secretInText('https://user:pass@example.com')?.message).toContain('password');
    expect(secretInText('https://user@example.com')).toBeUndefined();
    expect(secretInText('Zk3Jq8Lw2Xv9Pb7Tn5Rd1Mc4')).toBeUndefined();
  });
});
