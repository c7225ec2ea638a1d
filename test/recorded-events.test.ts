/**
 * What happens beside calls, through a running gateway and in its audit file: who proved who they are and who failed to,
 * sessions, what was refused at the door, and changes of the gateway itself. The file is proved whole afterwards.
 */

import { Agent, request as httpRequest } from 'node:http';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createApiKey } from '../packages/gateway/src/authn/api-key.ts';
import { signingKey } from '../packages/gateway/src/authn/issuer.fixture.ts';
import { startIdentityProvider as startLogIn } from '../packages/gateway/src/dev/identity-provider.ts';
import { Visitor } from '../packages/gateway/src/entrypoint/desk.fixture.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, legacy, modern, send, type HttpRequest } from './harness/http.ts';
import { until } from './harness/until.ts';
import { openSession, post, startIdentityProvider, type IdentityProvider } from './identity/world.ts';

const PATH = '/servers/plain/mcp';
const EVERYONE = '@id("everyone")\npermit (principal, action, resource);\n';
const CALLERS = '@id("callers")\npermit (principal, action, resource);\n';

const NEWER = '2031-01-01';

/** The parts of a record that are looked at here. */
type Recorded = {
  readonly class_uid: number;
  readonly activity_id: number;
  readonly status_code?: string;
  readonly status_detail?: string;
  readonly count?: number;
  readonly actor: { readonly app_name?: string; readonly user?: { readonly name: string } };
  readonly metadata: { readonly correlation_uid?: string };
  readonly src_endpoint?: { readonly ip?: string };
  readonly entity?: { readonly name: string };
  readonly api?: { readonly operation: string };
  readonly unmapped: Readonly<Record<string, unknown>> & {
    readonly event: string;
    readonly operation?: string;
    readonly session?: string;
  };
};

const recordsOf = (gateway: TestGateway): readonly Recorded[] => gateway.records() as unknown as readonly Recorded[];
const eventsOf = (gateway: TestGateway, event: string): readonly Recorded[] =>
  recordsOf(gateway).filter(({ unmapped }) => unmapped.event === event);
const found = (gateway: TestGateway, event: string, fits: (record: Recorded) => boolean): Promise<Recorded> =>
  until(event, () => eventsOf(gateway, event).find(fits));
const auditFile = ({ directory }: TestGateway): string => path.join(directory, 'audit.jsonl');

/** With its files still there, so that they can be looked at. */
async function stopped(gateway: TestGateway): Promise<string> {
  await gateway.gateway.close(2_000);
  const verified = await sallyport(['audit', 'verify', auditFile(gateway)]);
  expect(verified, verified.err).toMatchObject({ code: 0 });
  return readFileSync(auditFile(gateway), 'utf8');
}

let upstream: MisbehavingServer;
beforeAll(async () => {
  upstream = await startMisbehavingServer();
});
afterAll(() => upstream?.close());

describe('a gateway at work', () => {
  let idp: IdentityProvider;
  let gateway: TestGateway;
  let audience: string;
  /** Whatever opens something: none of it may stand in the file. */
  const secrets: string[] = [];
  const secret = (text: string): string => {
    secrets.push(text);
    return text;
  };

  beforeAll(async () => {
    idp = await startIdentityProvider();
    gateway = await startTestGateway({
      policies: EVERYONE,
      yaml: [
        '  failedAttempts: 10000/minute',
        `  issuers: [{ issuer: "${idp.url}" }]`,
        'requests: { maxBody: 64KiB }',
        'servers:',
        `  plain: { url: "${upstream.url}", headers: { x-team: "literal-header-value" } }`,
      ].join('\n'),
    });
    audience = `${gateway.url}${PATH}`;
    secrets.push('literal-header-value', ...Object.values(gateway.keys));
  });
  afterAll(async () => {
    await gateway?.close();
    await idp?.close();
  });

  test('says at its start which configuration it has, and what its servers offer', async () => {
    const loaded = await found(gateway, 'change', ({ unmapped }) => unmapped.operation === 'configuration/load');
    expect(loaded).toMatchObject({
      class_uid: 3004,
      activity_id: 10,
      entity: { name: path.join(gateway.directory, 'sallyport.yaml'), version: expect.stringMatching(/^sha256:/u) },
      unmapped: {
        policy_version: gateway.gateway.status().policies.version,
        servers: [{ id: 'plain', version: expect.any(String) }],
      },
    });
    const listed = await found(gateway, 'change', ({ unmapped }) => unmapped.operation === 'definitions/listed');
    expect(listed).toMatchObject({ entity: { name: 'plain', version: expect.stringMatching(/^sha256:/u) } });
  });

  test('records a credential once when it is first verified, however often it is used', async () => {
    const token = secret(await idp.token({ aud: audience, jti: 'first' }));
    for (let index = 0; index < 3; index++) {
      expect((await post(gateway, PATH, token)).status).toBe(200);
      expect((await post(gateway, PATH, gateway.keys.alice)).status).toBe(200);
    }
    const [carol, alice] = [
      await found(gateway, 'authentication', ({ actor }) => actor.user?.name === 'carol'),
      await found(gateway, 'authentication', ({ actor }) => actor.user?.name === 'alice'),
    ];
    expect(carol).toMatchObject({ class_uid: 3002, activity_id: 1, status: 'Success', auth_protocol: 'OAUTH 2.0' });
    expect(alice).toMatchObject({ unmapped: { credential: 'api-key' }, src_endpoint: { ip: '127.0.0.1' } });
    expect(eventsOf(gateway, 'authentication').filter(({ status_code: code }) => code === undefined)).toHaveLength(2);
    const first = recordsOf(gateway).find(
      ({ unmapped, metadata }) =>
        unmapped.event === 'outcome' && metadata.correlation_uid === carol.metadata.correlation_uid,
    );
    expect(first, 'the record of the call that it came with').toBeDefined();
  });

  test('records every failed authentication with its reason, and what is harmless of the credential', async () => {
    const stranger = await signingKey('ES256', 'one');
    const unknown = secret(createApiKey(randomBytes).key.expose());
    const forged = secret(await idp.token({ aud: audience }, { key: stranger }));
    const elsewhere = secret(await idp.token({ aud: 'https://elsewhere.example' }));
    const odd = secret(await idp.token({ aud: audience, iss: 'https://user:hunter2@idp.example/?q=hunter3' }));
    const sent = new Map<string, string>();
    for (const text of [
      unknown,
      forged,
      elsewhere,
      odd,
      secret('sp_my-old-password-hunter4'),
      secret('opaque-hunter5'),
    ]) {
      const answer = await post(gateway, PATH, text);
      expect(answer.status).toBe(401);
      sent.set(text, String(answer.json?.error?.data?.['requestId']));
    }
    const of = (text: string) =>
      found(gateway, 'authentication', ({ metadata }) => metadata.correlation_uid === sent.get(text));
    expect(await of(unknown)).toMatchObject({
      status_code: 'invalid-credential',
      status_detail: 'api key: unknown',
      actor: { app_name: 'unauthenticated' },
      unmapped: { credential: 'api-key', claimed: { hint: unknown.slice(0, 9) } },
    });
    expect(await of(forged)).toMatchObject({
      status_detail: 'token: the signature is wrong',
      unmapped: { credential: 'jwt', claimed: { issuer: idp.url, keyId: 'one' } },
    });
    expect(await of(elsewhere)).toMatchObject({ status_code: 'wrong-audience', actor: { user: { name: 'carol' } } });
    expect((await of(odd)).unmapped['claimed'], 'an issuer with a password in it').toEqual({ keyId: 'one' });
    expect((await of('sp_my-old-password-hunter4')).unmapped).not.toHaveProperty('claimed');
    expect((await of('opaque-hunter5')).unmapped).toMatchObject({ credential: 'bearer' });
  });

  test('records the opening and the end of a session, with the name that its calls carry', async () => {
    const { session } = await openSession(gateway, PATH, gateway.keys.alice ?? '');
    secret(session);
    const call = legacy('tools/call', { name: 'ok', arguments: { text: 'in a session' } }, session);
    expect((await post(gateway, PATH, gateway.keys.alice, call)).status).toBe(200);
    const headers = { ...call.headers, ...bearer(gateway.keys.alice ?? '') };
    expect((await send(`${gateway.url}${PATH}`, { method: 'DELETE', headers })).status).toBe(200);
    const closed = await found(gateway, 'session', ({ unmapped }) => unmapped.operation === 'session/closed');
    const [opened] = eventsOf(gateway, 'session');
    expect(opened).toMatchObject({ class_uid: 3002, activity_id: 99, unmapped: { operation: 'session/opened' } });
    expect(closed).toMatchObject({ actor: { user: { name: 'alice' } }, unmapped: { why: 'ended by its client' } });
    const names = recordsOf(gateway).flatMap(({ unmapped }) => unmapped.session ?? []);
    expect(new Set(names)).toEqual(new Set([opened?.unmapped.session]));
    expect(names.length).toBeGreaterThanOrEqual(4);
  });

  test('records what is refused at the door, and nothing of the body', async () => {
    const url = `${gateway.url}${PATH}`;
    const key = bearer(gateway.keys.alice ?? '');
    const { headers, body } = modern('tools/call', { name: 'ok', arguments: {} });
    const refused: readonly (readonly [string, NonNullable<HttpRequest['headers']>, string | Buffer])[] = [
      ['parse-error', headers, '{"password": "hunter6"'],
      ['duplicate-key', headers, '{"hunter7": 1, "hunter7": 2}'],
      ['host-refused', { ...headers, host: 'evil.example' }, body],
      ['origin-refused', { ...headers, origin: 'https://evil.example' }, body],
      ['unsupported-media-type', { ...headers, 'content-type': 'text/plain' }, body],
      ['unsupported-version', { ...headers, 'mcp-protocol-version': NEWER }, String(body).replace('2026-07-28', NEWER)],
      ['header-mismatch', { ...headers, 'mcp-name': 'hunter8' }, body],
      ['body-too-large', headers, 'x'.repeat(70_000)],
      ['unknown-session', { ...legacy('ping', {}, 'hunter9').headers }, legacy('ping').body],
    ];
    secrets.push('hunter');
    for (const [code, with_, text] of refused) {
      await send(url, { headers: { ...with_, ...key }, body: text });
      const record = await found(gateway, 'refused-early', ({ status_code: refusal }) => refusal === code);
      expect(record, code).toMatchObject({
        class_uid: 6003,
        status: 'Failure',
        api: { operation: 'POST', service: { name: 'plain' }, response: { error: code } },
        src_endpoint: { ip: '127.0.0.1' },
        metadata: { correlation_uid: expect.stringMatching(/^[0-9a-f-]{36}$/u) },
        unmapped: { stage: 'door', outcome: 'refused' },
      });
    }
  });

  test('records that policies were swapped or refused: by what, from which version to which, which files', async () => {
    const file = path.join(gateway.directory, 'policy.cedar');
    const before = gateway.gateway.status().policies.version;
    writeFileSync(file, CALLERS);
    const swapped = await found(gateway, 'change', ({ unmapped }) => unmapped['before'] === before);
    const after = gateway.gateway.status().policies.version;
    expect(swapped).toMatchObject({
      class_uid: 3004,
      activity_id: 3,
      actor: { user: { name: 'watched file' } },
      entity: { type: 'Policy', version: before },
      updated_entity: { version: after },
      unmapped: { operation: 'policies/swap', outcome: 'ok', files: ['policy.cedar'] },
    });
    writeFileSync(file, 'permit (principal, action, resource');
    await gateway.gateway.reloadPolicies();
    const refused = await found(gateway, 'change', ({ unmapped }) => unmapped['problems'] !== undefined);
    expect(refused).toMatchObject({ status: 'Failure', unmapped: { before: after, outcome: 'refused' } });
    writeFileSync(file, EVERYONE);
    await gateway.gateway.reloadPolicies();
    const asked = await found(
      gateway,
      'change',
      ({ unmapped }) => unmapped['before'] === after && unmapped['after'] !== undefined,
    );
    expect(asked.actor.user?.name).toBe('reload signal');
  }, 30_000);

  test('records what the command line does to keys: who, which key, once', async () => {
    const config = ['--config', path.join(gateway.directory, 'sallyport.yaml')];
    const key = secret((await sallyport(['key', 'create', 'dora', '--group', 'dba', ...config])).out.trim());
    expect((await post(gateway, PATH, key)).status).toBe(200);
    expect((await sallyport(['key', 'revoke', 'dora', ...config])).code).toBe(0);
    const revoked = await found(gateway, 'change', ({ unmapped }) => unmapped.operation === 'key/revoke');
    expect(revoked).toMatchObject({
      class_uid: 3004,
      activity_id: 4,
      actor: { user: { name: expect.stringMatching(/^cli:/u) } },
      entity: { type: 'API key', name: 'dora' },
      metadata: { tenant_uid: 'default' },
    });
    const changes = eventsOf(gateway, 'change').filter(({ entity }) => entity?.name === 'dora');
    expect(changes.map(({ unmapped }) => unmapped.operation)).toEqual(['key/create', 'key/revoke']);
    await until('the end', async () => (await post(gateway, PATH, key)).status === 401, 15_000);
    const refused = await found(
      gateway,
      'authentication',
      ({ status_detail: why }) => why?.includes('revoked') === true,
    );
    expect(refused.actor.user?.name).toBe('dora');
  }, 40_000);

  test('shows all of it to whoever searches, proves it, and has no secret in it', async () => {
    const text = await stopped(gateway);
    const ids = eventsOf(gateway, 'change').flatMap(({ unmapped }) => unmapped['change_id'] ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const search = await sallyport(['audit', 'search', auditFile(gateway)]);
    for (const words of [
      /carol +authenticate plain +ok/u,
      /cli:\S+ +key\/revoke dora +ok/u,
      /POST plain +parse-error/u,
    ]) {
      expect(search.out).toMatch(words);
    }
    for (const one of secrets) expect(text, one.slice(0, 12)).not.toContain(one);
  });
});

test('a flood of failed log-ins leaves few lines, whose counts are all of it', async () => {
  const FLOOD = 5_000;
  const gateway = await startTestGateway({ yaml: '' });
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const attempt = (index: number) =>
    new Promise<number>((resolve, reject) => {
      const { headers, body } = modern('tools/list');
      const credential = bearer(`sp_guess-${index}`);
      const request = httpRequest(`${gateway.url}/mcp`, {
        method: 'POST',
        agent,
        headers: { ...headers, ...credential },
      });
      request.on('response', (response) => response.resume().on('end', () => resolve(response.statusCode ?? 0)));
      request.on('error', reject);
      request.end(body);
    });
  try {
    const statuses = await Promise.all(Array.from({ length: FLOOD }, (_, index) => attempt(index)));
    expect(statuses.filter((status) => status !== 401 && status !== 429)).toEqual([]);
    const text = await stopped(gateway);
    const total = (records: readonly Recorded[]): number => records.reduce((sum, { count = 1 }) => sum + count, 0);
    const failed = eventsOf(gateway, 'authentication');
    // A window may end in the middle of it: then there are twice as many.
    expect(failed.length).toBeLessThan(200);
    expect(total(failed)).toBe(FLOOD);
    // And what the calls themselves came to: one by one, or counted.
    const outcomes = recordsOf(gateway).filter(
      ({ unmapped }) => unmapped.event === 'outcome' || unmapped['stage'] === 'identity',
    );
    expect(outcomes.length).toBeLessThan(200);
    expect(total(outcomes)).toBe(FLOOD);
    expect(text).not.toContain('guess');
  } finally {
    agent.destroy();
    await gateway.close();
  }
}, 60_000);

test('a person who logs in and out with the browser is recorded, and so is one who was not let in', async () => {
  let url: string | undefined;
  const provider = await startLogIn({ port: 0, publicUrl: () => url });
  const login = `{ clientId: sallyport-gateway, scopes: [profile, groups] }`;
  const gateway = await startTestGateway({ yaml: `  issuers: [{ issuer: "${provider.issuer}", login: ${login} }]` });
  url = gateway.url;
  try {
    const visitor = new Visitor();
    expect((await visitor.logIn('carol', `${gateway.url}/approvals`)).status).toBe(200);
    const cookies = [...visitor.cookies.values()];
    await visitor.post(`${gateway.url}/logout`, {});
    await visitor.post(`${gateway.url}/logout`, {}, { origin: 'https://evil.example' });
    await visitor.get(`${gateway.url}/login/callback?code=hunter2&state=x`);
    const text = await stopped(gateway);
    const [loggedIn, refused] = eventsOf(gateway, 'authentication');
    expect(loggedIn).toMatchObject({
      status: 'Success',
      auth_protocol: 'OpenID',
      actor: { user: { name: 'carol' } },
      unmapped: { operation: 'log-in' },
    });
    expect(refused).toMatchObject({ status_code: 'invalid-credential', unmapped: { operation: 'log-in' } });
    const [opened, closed] = eventsOf(gateway, 'session');
    expect(opened?.unmapped.session).toBe(loggedIn?.unmapped.session);
    expect(closed).toMatchObject({ activity_id: 2, unmapped: { of: 'browser', why: 'logged out' } });
    const page = recordsOf(gateway).find(({ api }) => api?.operation.startsWith('approvals/') === true);
    expect(page?.unmapped.session, 'what was done with it').toBe(opened?.unmapped.session);
    expect(eventsOf(gateway, 'refused-early')).toMatchObject([{ status_code: 'origin-refused' }]);
    for (const one of [...cookies, 'hunter2']) expect(text).not.toContain(one);
  } finally {
    await gateway.close();
    await provider.close();
  }
});
