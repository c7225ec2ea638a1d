/**
 * A server that wants each person's own consent: a call asks for it in whatever way its client can, the person gives it in
 * the browser, and the call goes on. By real authorization servers, a server made with the official SDK, and its clients.
 */

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

import { Visitor } from '../packages/gateway/src/entrypoint/desk.fixture.ts';
import { connectAsked, type Question } from './harness/asked-clients.ts';
import { consent, startOAuthWorld, type OAuthWorld } from './harness/oauth-world.ts';
import { until } from './harness/until.ts';
import { CLIENT_KINDS } from './matrix/clients.ts';

// Each starts two identity providers, a server and a gateway, which takes long where others are at work.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: OAuthWorld;

beforeAll(async () => {
  world = await startOAuthWorld();
  // Somebody is the first: only then is it known what the server offers.
  await consent(new Visitor(), 'carol', `${world.gateway.url}/connect/guarded`);
  await until('the server is listed', () =>
    world.gateway.gateway.status().servers.some(({ state }) => state === 'healthy'),
  );
});

afterAll(() => world?.close());

const LINK = /http:\/\/127\.0\.0\.1:\d+\/connect\/guarded\?link=[\w.~-]+/;

describe('before anybody has consented', () => {
  test('the page can be opened without a link, and what the server offers is read with the first consent', () => {
    expect(world.gateway.gateway.status().entries.map(({ name }) => name)).toEqual(
      expect.arrayContaining(['whoami', 'wide']),
    );
  });
});

describe.each(CLIENT_KINDS)('a person behind the %s client', (kind) => {
  const name = { 'sdk-v1': 'alice', 'sdk-v2-legacy': 'bob', 'sdk-v2-modern': 'bob' }[kind];

  test('is sent to the page, consents, and the call goes on as them', async () => {
    const own = kind === 'sdk-v2-modern' ? await startOAuthWorld() : world;
    try {
      if (own !== world) await consent(new Visitor(), 'carol', `${own.gateway.url}/connect/guarded`);
      if (own !== world)
        await until('listed', () => own.gateway.gateway.status().servers.some(({ state }) => state === 'healthy'));
      const going: Promise<unknown>[] = [];
      const open = (question: Question) => {
        // The client says at once that the link is opened; the person takes their time.
        going.push(consent(new Visitor(), name, question.url ?? ''));
        return { action: 'accept' } as const;
      };
      const client = await connectAsked({ kind, url: own.endpoint, key: await own.tokenOf(name), person: open });
      const answer = await client.call('whoami', {});
      expect(answer).toMatchObject({ isError: false, text: expect.stringContaining(`"subject":"${name}"`) });
      expect(client.questions).toHaveLength(1);
      expect(client.questions[0]).toMatchObject({ mode: 'url', url: expect.stringMatching(LINK) });
      await Promise.all(going);
      // It is asked for once.
      expect((await client.call('whoami', {})).text).toContain(name);
      expect(client.questions).toHaveLength(1);
      await client.close();
    } finally {
      if (own !== world) await own.close();
    }
  });
});

describe('a client that can show no link', () => {
  test.each(CLIENT_KINDS)('is told it in the result (%s)', async (kind) => {
    const own = await startOAuthWorld();
    try {
      await consent(new Visitor(), 'carol', `${own.gateway.url}/connect/guarded`);
      await until('listed', () => own.gateway.gateway.status().servers.some(({ state }) => state === 'healthy'));
      const client = await connectAsked({ kind, url: own.endpoint, key: await own.tokenOf('alice') });
      const answer = await client.call('whoami', {});
      expect(answer.isError).toBe(true);
      const link = LINK.exec(answer.text)?.[0] ?? '';
      expect((await consent(new Visitor(), 'alice', link)).text).toContain('Connected');
      expect((await client.call('whoami', {})).text).toContain('"subject":"alice"');
      await client.close();
    } finally {
      await own.close();
    }
  });
});
