import { X509Certificate } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createPki, hasOpenssl, type Issued, type Pki } from './certificates.fixture.ts';
import { Refused } from './refused.ts';
import { verifySvid } from './svid.ts';
import { parseTrustBundle, type TrustBundle } from './trust-bundle.ts';

const ID = 'spiffe://example.org/ns/prod/agent';
const DAY_MS = 86_400_000;

describe.skipIf(!hasOpenssl)('an X.509-SVID', () => {
  let pki: Pki;
  let root: Issued;
  let partner: Issued;
  let bundles: ReadonlyMap<string, TrustBundle>;
  let certificates: Readonly<Record<string, Issued>>;

  const bundleFrom = (pem: string): TrustBundle => {
    const bundle = parseTrustBundle(pem);
    if (!bundle.ok) throw new Error(bundle.error);
    return bundle.value;
  };

  beforeAll(() => {
    pki = createPki();
    root = pki.authority('root');
    partner = pki.authority('partner');
    const between = pki.authority('between', { by: root });
    const short = pki.authority('short', { by: between, days: 1 });
    const stranger = pki.authority('stranger');
    const names = [`URI:${ID}`];
    bundles = new Map([
      ['example.org', bundleFrom(root.pem)],
      ['partner.example', bundleFrom(partner.pem)],
    ]);
    certificates = {
      direct: pki.leaf('direct', { by: root, names }),
      withHosts: pki.leaf('withHosts', { by: root, names: [...names, 'DNS:agent.example', 'IP:192.0.2.1'] }),
      nested: pki.leaf('nested', { by: short, names }),
      stranger: pki.leaf('stranger', { by: stranger, names }),
      ofPartner: pki.leaf('ofPartner', { by: partner, names }),
      expired: pki.leaf('expired', { by: root, names, days: -1 }),
      nameless: pki.leaf('nameless', { by: root }),
      host: pki.leaf('host', { by: root, names: ['DNS:agent.example'] }),
      two: pki.leaf('two', { by: root, names: [...names, 'URI:spiffe://example.org/other'] }),
      web: pki.leaf('web', { by: root, names: [...names, 'URI:https://example.org/'] }),
      noSpiffe: pki.leaf('noSpiffe', { by: root, names: ['URI:https://example.org/agent'] }),
      rootPath: pki.leaf('rootPath', { by: root, names: ['URI:spiffe://example.org'] }),
      unknownDomain: pki.leaf('unknownDomain', { by: root, names: ['URI:spiffe://unknown.example/agent'] }),
      authority: pki.leaf('authority', { by: root, names, ca: true }),
      serverOnly: pki.leaf('serverOnly', { by: root, names, usage: 'serverAuth' }),
      selfSigned: pki.leaf('selfSigned', { names }),
    };
    // Signed by a leaf: its chain leads to the root, but by way of a certificate that may not sign.
    certificates = { ...certificates, byLeaf: pki.leaf('byLeaf', { by: issued('direct'), names }) };
  });
  afterAll(() => pki?.close());

  const issued = (name: string): Issued => {
    const certificate = certificates[name];
    if (certificate === undefined) throw new Error(`no certificate ${name}`);
    return certificate;
  };

  const verify = (chain: readonly Uint8Array[], nowMs = Date.now()) =>
    verifySvid({ chain, bundleOf: (name) => bundles.get(name), nowMs });

  it.each(['direct', 'withHosts', 'nested'])('is accepted: %s', (name) => {
    expect(verify(issued(name).presented)).toMatchObject({ id: ID, trustDomain: 'example.org' });
  });

  it('is good until the first certificate of its chain expires', () => {
    const [direct, nested] = [verify(issued('direct').presented), verify(issued('nested').presented)];
    if (direct instanceof Refused || nested instanceof Refused) throw new Error('refused');
    expect(direct.expiresAtMs).toBe(new X509Certificate(issued('direct').pem).validToDate.getTime());
    expect(direct.expiresAtMs - nested.expiresAtMs).toBeGreaterThan(DAY_MS - 60_000);
  });

  it.each<[string, RegExp]>([
    ['stranger', /no valid chain to an authority of "example.org"/u],
    ['ofPartner', /no valid chain to an authority of "example.org"/u],
    ['nameless', /no SPIFFE id/u],
    ['host', /no SPIFFE id/u],
    ['two', /2 URIs/u],
    ['web', /2 URIs/u],
    ['noSpiffe', /is not the SPIFFE id/u],
    ['rootPath', /is not the SPIFFE id/u],
    ['unknownDomain', /unknown trust domain "unknown.example"/u],
    ['authority', /may sign others/u],
    ['serverOnly', /not for clients/u],
    ['selfSigned', /no valid chain/u],
    ['byLeaf', /no valid chain/u],
  ])('is refused: %s', (name, reason) => {
    const refusal = verify(issued(name).presented);
    expect(refusal).toMatchObject({ code: 'invalid-credential', reason: expect.stringMatching(reason) });
  });

  it('is refused when it expired, or is not valid yet', () => {
    expect(verify(issued('expired').presented)).toMatchObject({ code: 'expired-credential' });
    const { presented } = issued('direct');
    expect(verify(presented, Date.now() + 3 * DAY_MS)).toMatchObject({ code: 'expired-credential' });
    expect(verify(presented, Date.now() - DAY_MS)).toMatchObject({ reason: 'certificate: not valid yet' });
  });

  it('is refused when a certificate of its chain expired, or is missing, or when there are too many', () => {
    const { presented } = issued('nested');
    expect(verify(presented, Date.now() + 1.5 * DAY_MS)).toMatchObject({
      reason: expect.stringContaining('no valid chain'),
    });
    expect(verify(presented.slice(0, 2))).toMatchObject({ reason: expect.stringContaining('no valid chain') });
    expect(verify([...presented, ...presented, ...presented])).toMatchObject({
      reason: expect.stringContaining('too long'),
    });
  });

  it('is refused when it cannot be read, or when there is none', () => {
    expect(verify([new Uint8Array([0x30, 0x03, 1, 2, 3])])).toMatchObject({ reason: 'certificate: cannot be read' });
    expect(verify([])).toMatchObject({ reason: 'certificate: cannot be read' });
  });

  it('may come with its chain in any order, and with certificates that do not belong to it', () => {
    const [leaf, first, second] = issued('nested').presented;
    if (leaf === undefined || first === undefined || second === undefined) throw new Error('the chain is shorter');
    const other = new X509Certificate(partner.pem).raw;
    expect(verify([leaf, second, other, first])).toMatchObject({ id: ID });
  });
});

describe.skipIf(!hasOpenssl)('a trust bundle', () => {
  it('is taken whole or not at all', () => {
    const pki = createPki();
    try {
      const root = pki.authority('root');
      const leaf = pki.leaf('leaf', { by: root, names: [`URI:${ID}`] });
      const next = pki.authority('next');
      expect(parseTrustBundle(`# a comment\n${root.pem}${next.pem}`)).toMatchObject({ ok: true, value: { length: 2 } });
      const rows: readonly (readonly [string, RegExp])[] = [
        ['', /no certificate/u],
        [root.pem.slice(0, 200), /no certificate/u],
        [root.pem + next.pem.slice(0, 200), /half of one/u],
        [root.pem + root.key, /no certificate/u],
        [root.pem + leaf.pem, /may not sign others \(number 2\)/u],
        [root.pem.replace(/MII/u, 'AAA'), /cannot be read \(number 1\)/u],
        [root.pem.repeat(65), /more than 64/u],
      ];
      for (const [pem, reason] of rows) {
        expect(parseTrustBundle(pem)).toMatchObject({ ok: false, error: expect.stringMatching(reason) });
      }
    } finally {
      pki.close();
    }
  });
});
