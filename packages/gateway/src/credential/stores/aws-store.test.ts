/** On a server of the test that checks the signature as AWS does, from what it published about it. */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createEgress } from '../../egress/egress.ts';
import { Secret } from '../../model/secret.ts';
import { createAwsStore } from './aws-store.ts';
import { sign } from './sigv4.ts';

const NOW_MS = Date.parse('2015-08-30T12:36:00Z');
const KEYS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };

describe('a signature', () => {
  // "get-vanilla" of the test suite that AWS published for Signature Version 4.
  it('is the one of the published example', () => {
    const request = { url: new URL('https://example.amazonaws.com/'), method: 'GET', headers: {}, body: '' } as const;
    const { authorization } = sign({ ...request, region: 'us-east-1', service: 'service', nowMs: NOW_MS }, KEYS);
    expect(authorization).toBe(
      'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, ' +
        'Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    );
  });
});

describe('a secret of AWS', () => {
  const egress = createEgress();
  const secrets = new Map([['prod/crm', '{"token":"sk-live-4f9c2e7a"}']]);
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { status, body } = answer(request, Buffer.concat(chunks).toString('utf8'));
      response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
    });
  });
  let endpoint = '';

  function answer(request: IncomingMessage, body: string): { status: number; body: unknown } {
    const headers = { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'secretsmanager.GetSecretValue' };
    const wanted = sign(
      {
        url: new URL(`${endpoint}/`),
        method: 'POST',
        headers,
        body,
        region: 'eu-central-1',
        service: 'secretsmanager',
        nowMs: NOW_MS,
      },
      { ...KEYS, sessionToken: 'session' },
    );
    if (
      request.headers.authorization !== wanted.authorization ||
      request.headers['x-amz-security-token'] !== 'session'
    ) {
      return {
        status: 400,
        body: { __type: 'InvalidSignatureException', message: `${KEYS.secretAccessKey} was wrong` },
      };
    }
    const text = secrets.get((JSON.parse(body) as { SecretId: string }).SecretId);
    if (text === undefined) return { status: 400, body: { __type: 'com.amazonaws#ResourceNotFoundException' } };
    return { status: 200, body: { SecretString: text, VersionId: 'EXAMPLE1-90ab-cdef' } };
  }

  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    await egress.close();
    server.close();
    server.closeAllConnections();
  });

  const read = (id: string, secretAccessKey = KEYS.secretAccessKey) =>
    createAwsStore({
      region: 'eu-central-1',
      endpoint,
      keys: () => Promise.resolve({ ...KEYS, secretAccessKey, sessionToken: 'session' }),
      timeoutMs: 2000,
      cacheMs: 1,
      keepMs: 2,
      egress,
      now: () => NOW_MS,
    }).read(id, new AbortController().signal);

  it('is read with a signed request, and has a version', async () => {
    const lease = await read('prod/crm');
    expect(lease.value instanceof Secret && lease.value.expose()).toBe('{"token":"sk-live-4f9c2e7a"}');
    expect(lease.version).toBe('EXAMPLE1-90ab-cdef');
  });

  it('that is not there is gone', async () => {
    await expect(read('prod/none')).rejects.toMatchObject({
      message: expect.stringContaining('no such secret'),
      fault: 'gone',
    });
  });

  it('that is asked for with a wrong key says so, and not in words that quote one', async () => {
    const error: unknown = await read('prod/crm', 'wrong').catch((reason: unknown) => reason);
    expect(String(error)).toContain('Look at secrets.aws-sm.secretAccessKey');
    expect(String(error)).not.toContain(KEYS.secretAccessKey);
  });
});
