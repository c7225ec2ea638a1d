import { hash } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { Refusal, type FailureCode } from '../model/failure.ts';
import type { Json } from '../model/json.ts';
import { somebody } from '../model/principal.fixture.ts';
import { principalKey, type Principal } from '../model/principal.ts';
import type { PresentedCredentials } from '../model/request.ts';
import { Secret } from '../model/secret.ts';
import { createAttempts } from './attempts.ts';
import { createPki, hasOpenssl, type Issued, type Pki } from './certificates.fixture.ts';
import { deepFrozen } from './claims.ts';
import { createLayeredAuthenticator } from './layered-authenticator.ts';
import { parseTrustBundle, type TrustBundle } from './trust-bundle.ts';
import { createWorkloads } from './workloads.ts';

const AGENT = 'spiffe://example.org/agent';
const PROXY = '10.1.2.3';
const HASH = '00ff'.repeat(16);

const userOf = (name: string, tenant: string): Principal => deepFrozen(somebody(name, { tenant }));

const USERS: Readonly<Record<string, Principal>> = {
  alice: userOf('alice', 'default'),
  bert: userOf('bert', 'acme'),
};

/** Whose token is bound to a key, as the test says. */
const bound: { confirmation: Json } = { confirmation: null };
const boundUser = (): Principal => ({ ...userOf('bound', 'default'), claims: { cnf: bound.confirmation } });

describe.skipIf(!hasOpenssl)('two layers', () => {
  let pki: Pki;
  let root: Issued;
  let agent: Issued;
  let proxy: Issued;

  beforeAll(() => {
    pki = createPki();
    root = pki.authority('root');
    agent = pki.leaf('agent', { by: root, names: [`URI:${AGENT}`] });
    proxy = pki.leaf('proxy', { by: root, names: ['URI:spiffe://example.org/proxy'] });
  });
  afterAll(() => pki?.close());

  const bundleOf = (issued: Issued): TrustBundle => {
    const bundle = parseTrustBundle(issued.pem);
    if (!bundle.ok) throw new Error(bundle.error);
    return bundle.value;
  };

  function world({ required = false, attemptsLeft = 100 } = {}) {
    const clock = { nowMs: Date.now() };
    const left = { count: attemptsLeft };
    const reasons: string[] = [];
    const note = (fields: object): void => void reasons.push(Object.values(fields).join(' '));
    const attempts = createAttempts(
      {
        allow: () => (left.count-- > 0 ? { allowed: true } : { allowed: false, retryAfterMs: 1 }),
        giveBack: () => left.count++,
      },
      { debug: note, info: note, warn: note, error: note },
      () => undefined,
    );
    const workloads = createWorkloads({
      trustDomains: [
        { name: 'example.org', tenant: 'default', bundle: bundleOf(root) },
        { name: 'acme.example', tenant: 'acme', bundle: bundleOf(root) },
      ],
      meshProxies: ['10.0.0.0/8'],
      attempts,
      now: () => clock.nowMs,
    });
    const authenticator = createLayeredAuthenticator({
      bearer: {
        authenticate({ presented }) {
          const name = presented.bearer?.expose() ?? '';
          const user = name === 'bound' ? boundUser() : USERS[name];
          if (user === undefined) throw new Refusal({ code: 'unauthenticated', sent: 'no' });
          return user.name === 'bert' ? Promise.resolve(user) : user;
        },
      },
      workloads,
      workloadRequired: required,
      attempts,
    });
    const present = (presented: PresentedCredentials, address = '192.0.2.1') =>
      authenticator.authenticate({ requestId: 'request-1', presented, address, endpoint: { kind: 'aggregate' } });
    const codeOf = async (presented: PresentedCredentials, address?: string): Promise<FailureCode | Principal> => {
      try {
        return await present(presented, address);
      } catch (error) {
        if (error instanceof Refusal) return error.failure.code;
        throw error;
      }
    };
    return { clock, left, reasons, workloads, present, codeOf };
  }

  const as = (name: string) => ({ bearer: new Secret(name) });
  const from = (issued: Issued) => ({ certificates: issued.presented.map((der) => new Uint8Array(der)) });
  const vouched = (uri = AGENT) => ({ forwardedCertificate: `Hash=${HASH};URI=${uri}` });

  it('make one frozen principal: the user, with the key of the user, and the workload', () => {
    const { present } = world();
    const both = present({ ...as('alice'), ...from(agent) });
    expect(both).toMatchObject({
      ...USERS['alice'],
      workload: { id: AGENT, trustDomain: 'example.org', credential: 'mtls', expiresAtMs: expect.any(Number) },
    });
    expect(Object.isFrozen(both)).toBe(true);
  });

  it('are the same object for the same credential and chain, whichever connection they come on', async () => {
    const { present } = world();
    const connection = from(agent);
    const first = present({ ...as('alice'), ...connection });
    expect(present({ ...as('alice'), ...connection })).toBe(first);
    expect(present({ ...as('alice'), ...from(agent) })).toBe(first);
    expect(present(from(agent))).toBe(present(connection));
    const vouchedFor = await present({ ...as('alice'), ...vouched() }, PROXY);
    expect(await present({ ...as('alice'), ...vouched() }, PROXY)).toBe(vouchedFor);
    expect(vouchedFor).not.toBe(first);
  });

  it('with a workload alone are the workload, of the tenant of its trust domain', async () => {
    const { codeOf } = world();
    expect(await codeOf(from(agent))).toMatchObject({
      key: principalKey('default', 'spiffe://example.org', AGENT),
      kind: 'workload',
      tenant: 'default',
      issuer: 'spiffe://example.org',
      subject: AGENT,
      name: AGENT,
      credential: { kind: 'mtls', expiresAtMs: expect.any(Number) },
      workload: { id: AGENT },
    });
    expect(await codeOf(vouched('spiffe://acme.example/agent'), PROXY)).toMatchObject({
      tenant: 'acme',
      credential: { kind: 'mesh' },
    });
  });

  it('of two tenants are refused, also when the user is known only later', async () => {
    const { codeOf, reasons } = world();
    expect(await codeOf({ ...as('bert'), ...from(agent) })).toBe('invalid-credential');
    expect(reasons.at(-1)).toContain('"acme"');
    expect(await codeOf({ ...as('bert'), ...vouched('spiffe://acme.example/agent') }, PROXY)).toMatchObject({
      name: 'bert',
      workload: { id: 'spiffe://acme.example/agent' },
    });
  });

  it('without a workload are the user, or nobody where a workload is required', async () => {
    const optional = world();
    expect(optional.present(as('alice'))).toBe(USERS['alice']);
    expect(await optional.codeOf({})).toBe('unauthenticated');
    const required = world({ required: true });
    expect(await required.codeOf(as('alice'))).toBe('unauthenticated');
    expect(await required.codeOf({ ...as('alice'), ...from(agent) })).toMatchObject({ name: 'alice' });
  });

  it('do not fall back to the workload when the user cannot be made out', async () => {
    const { codeOf } = world();
    expect(await codeOf({ ...as(''), ...from(agent) })).toBe('unauthenticated');
    expect(await codeOf({ ...as('nobody'), ...from(agent) })).toBe('unauthenticated');
  });

  describe('from a proxy of the mesh', () => {
    it('the certificate of the connection is the proxy’s, and never its caller’s', async () => {
      const { codeOf } = world();
      expect(await codeOf({ ...from(proxy), ...vouched() }, PROXY)).toMatchObject({ subject: AGENT });
      expect(await codeOf(from(proxy), PROXY)).toBe('unauthenticated');
      expect(await codeOf({ ...as('alice'), ...from(proxy) }, PROXY)).toBe(USERS['alice']);
      const stranger = pki.leaf('x', { by: pki.authority('stranger'), names: ['URI:spiffe://example.org/proxy'] });
      expect(await codeOf({ ...from(stranger), ...vouched() }, PROXY)).toBe('invalid-credential');
    });

    it('the header is believed; from anyone else it is as if it were not there, well formed or not', async () => {
      const { codeOf } = world();
      expect(await codeOf(vouched(), '::ffff:10.1.2.3')).toMatchObject({ subject: AGENT });
      expect(await codeOf(vouched())).toBe('unauthenticated');
      expect(await codeOf({ ...as('alice'), forwardedCertificate: 'nonsense' })).toBe(USERS['alice']);
      expect(await codeOf({ ...from(agent), ...vouched('spiffe://example.org/admin') })).toMatchObject({
        subject: AGENT,
      });
    });

    it('a header that is not understood is refused, beside a user too, and locks nobody out', async () => {
      const { codeOf, reasons, left } = world();
      for (const forwardedCertificate of ['', 'nonsense', `URI=${AGENT},URI=${AGENT}`, `URI=${AGENT};URI=${AGENT}`]) {
        expect(await codeOf({ ...as('alice'), forwardedCertificate }, PROXY)).toBe('invalid-credential');
        expect(reasons.at(-1)).toContain('forwarded certificate');
      }
      expect(await codeOf(vouched('spiffe://elsewhere.example/agent'), PROXY)).toBe('invalid-credential');
      expect(left.count).toBe(100);
    });
  });

  it('forget a chain when its bundle changes and when it expires, on connections that stay open too', async () => {
    const { clock, workloads, codeOf } = world();
    const connection = from(agent);
    expect(await codeOf(connection)).toMatchObject({ subject: AGENT });
    workloads.replaceBundle('example.org', bundleOf(pki.authority('next')));
    expect(await codeOf(connection)).toBe('invalid-credential');
    workloads.replaceBundle('example.org', bundleOf(root));
    expect(await codeOf(connection)).toMatchObject({ subject: AGENT });
    clock.nowMs += 3 * 86_400_000;
    expect(await codeOf(connection)).toBe('expired-credential');
    expect(() => workloads.replaceBundle('elsewhere.example', bundleOf(root))).toThrow(RangeError);
  });

  it('count invalid certificates against their address, and a known one not at all', async () => {
    const { codeOf, left } = world({ attemptsLeft: 2 });
    const unnamed = pki.leaf('unnamed', { by: root });
    expect(await codeOf(from(agent))).toMatchObject({ subject: AGENT });
    expect(await codeOf(from(unnamed))).toBe('invalid-credential');
    expect(await codeOf(from(unnamed))).toBe('invalid-credential');
    expect(await codeOf(from(unnamed))).toBe('quota-exceeded');
    left.count = 0;
    expect(await codeOf(from(agent))).toMatchObject({ subject: AGENT });
  });

  it('hold a token that is bound to a certificate to that one', async () => {
    const { codeOf, reasons } = world();
    const thumbprint = (issued: Issued): string => hash('sha256', issued.presented[0] ?? '', 'base64url');
    bound.confirmation = { 'x5t#S256': thumbprint(agent) };
    expect(await codeOf({ ...as('bound'), ...from(agent) })).toMatchObject({ name: 'bound' });
    expect(await codeOf({ ...as('bound'), ...from(proxy) })).toBe('invalid-credential');
    expect(reasons.at(-1)).toContain('bound to another certificate');
    expect(await codeOf(as('bound'))).toBe('invalid-credential');
    expect(reasons.at(-1)).toContain('none was presented');
    expect(await codeOf({ ...as('bound'), ...vouched() }, PROXY)).toBe('invalid-credential');
    bound.confirmation = { 'x5t#S256': Buffer.from(HASH, 'hex').toString('base64url') };
    expect(await codeOf({ ...as('bound'), ...vouched() }, PROXY)).toMatchObject({ name: 'bound' });
    for (const confirmation of [{ jkt: 'x' }, { 'x5t#S256': thumbprint(agent), jkt: 'x' }, {}, 'x', null]) {
      bound.confirmation = confirmation;
      expect(await codeOf({ ...as('bound'), ...from(agent) })).toBe('invalid-credential');
      expect(reasons.at(-1)).toContain('cannot be checked');
    }
  });

  it('keep what OpenSSL found wrong, but for where the chain ends', async () => {
    const { codeOf, reasons } = world();
    expect(await codeOf({ ...from(agent), certificateFault: 'CA_MD_TOO_WEAK' })).toBe('invalid-credential');
    expect(reasons.at(-1)).toContain('CA_MD_TOO_WEAK');
    expect(await codeOf({ ...from(agent), certificateFault: 'UNABLE_TO_GET_ISSUER_CERT' })).toMatchObject({
      subject: AGENT,
    });
  });
});
