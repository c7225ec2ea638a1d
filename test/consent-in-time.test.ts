/** What becomes of a consent in the course of time: renewed, taken no longer, dismissed; and of a person who cannot be asked. */

import { existsSync } from 'node:fs';

import { chromium } from 'playwright-core';
import { afterEach, describe, expect, test, vi } from 'vitest';

import { Visitor } from '../packages/gateway/src/entrypoint/desk.fixture.ts';
import { connectAsked, type AskedOptions } from './harness/asked-clients.ts';
import {
  consent,
  NEVER_RENEWED,
  startOAuthWorld,
  type OAuthWorld,
  type OAuthWorldOptions,
} from './harness/oauth-world.ts';
import { until } from './harness/until.ts';

// Each starts two identity providers, a server and a gateway, which takes long where others are at work.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const CHROMIUM = '/usr/bin/chromium';
const here = existsSync(CHROMIUM);
if (!here) process.stderr.write(`SKIPPED: no consent in a real browser, because ${CHROMIUM} is not there.\n`);

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

/** With carol's consent, so that it is known what the server offers. */
async function startListed(options: OAuthWorldOptions = {}): Promise<OAuthWorld> {
  const world = await startOAuthWorld(options);
  cleanups.push(() => world.close());
  await consent(new Visitor(), 'carol', `${world.gateway.url}/connect/guarded`);
  await until('the server is listed', () =>
    world.gateway.gateway.status().servers.some(({ state }) => state === 'healthy'),
  );
  return world;
}

async function clientOf(world: OAuthWorld, name: string, asked: Partial<AskedOptions> = {}) {
  const key = await world.tokenOf(name);
  const client = await connectAsked({ kind: 'sdk-v2-modern', url: world.endpoint, key, ...asked });
  cleanups.push(() => client.close());
  return client;
}

describe('a consent that was given', () => {
  test('is renewed by the gateway when its token ends, once for all calls, and asks nobody', async () => {
    const world = await startListed({ accessTokenSeconds: 4 });
    const client = await clientOf(world, 'carol', { person: () => ({ action: 'cancel' }) });
    const used = (): number => new Set(world.server.seen).size;
    const before = used();
    await until(
      'a second token',
      async () => {
        const answers = await Promise.all(['a', 'b', 'c'].map((text) => client.call('whoami', { text })));
        for (const answer of answers) expect(answer).toMatchObject({ isError: false });
        return used() > before;
      },
      40_000,
    );
    expect(used()).toBe(before + 1);
    expect(client.questions).toEqual([]);
  });

  test('is renewed, and nobody is asked, when the server takes its token no longer', async () => {
    const world = await startListed();
    const client = await clientOf(world, 'carol', { person: () => ({ action: 'cancel' }) });
    expect(await client.call('whoami', {})).toMatchObject({ isError: false });
    await endTokens(world);
    expect(await client.call('whoami', {})).toMatchObject({ isError: false, text: expect.stringContaining('carol') });
    expect(client.questions).toEqual([]);
  });

  test('is asked for anew when its issuer does not renew it either', async () => {
    const world = await startListed({ auth: `, issuer: "ISSUER", clientId: ${NEVER_RENEWED}` });
    const going: Promise<unknown>[] = [];
    const client = await clientOf(world, 'carol', {
      person: ({ url = '' }) => {
        going.push(consent(new Visitor(), 'carol', url));
        return { action: 'accept' };
      },
    });
    expect(await client.call('whoami', {})).toMatchObject({ isError: false });
    await endTokens(world);
    expect(await client.call('whoami', {})).toMatchObject({ isError: false, text: expect.stringContaining('carol') });
    expect(client.questions).toHaveLength(1);
    await Promise.all(going);
  });
});

/** The server takes none that was issued so far. */
async function endTokens({ server }: OAuthWorld): Promise<void> {
  server.revokeBefore(Date.now());
  // Its tokens say in whole seconds when they were issued.
  const ended = Math.floor(server.revokedBefore() / 1000);
  await until('the next second', () => Math.floor(Date.now() / 1000) > ended);
}

describe('a person who does not consent', () => {
  test('dismisses the question, and the model is told not to go on', async () => {
    const world = await startListed();
    const client = await clientOf(world, 'alice', { person: () => ({ action: 'decline' }) });
    const answer = await client.call('whoami', {});
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('was dismissed') });
    expect(world.server.seen.length).toBeGreaterThan(0);
  });

  test('is waited for, however early their client says yes', async () => {
    const world = await startListed({ wait: '1s' });
    const client = await clientOf(world, 'alice', { kind: 'sdk-v1', person: () => ({ action: 'accept' }) });
    const call = client.call('whoami', {});
    await until('the question', () => client.questions.length === 1);
    await consent(new Visitor(), 'alice', client.questions[0]?.url ?? '');
    expect(await call).toMatchObject({ isError: false });
  });

  test('whose client fails to show the link is named it in the error of 2025-11-25', async () => {
    const world = await startListed();
    const client = await clientOf(world, 'alice', {
      kind: 'sdk-v1',
      person: () => {
        throw new Error('no window');
      },
    });
    const error: unknown = await client.call('whoami', {}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: -32_042,
      data: { elicitations: [{ mode: 'url', url: expect.stringContaining('/connect/guarded?link=') }] },
    });
  });
});

describe.skipIf(!here)('a real browser', () => {
  test('goes from our page to the log-in of the server and back by itself', async () => {
    const world = await startListed();
    const client = await clientOf(world, 'alice');
    const link = /http\S+\/connect\/guarded\?link=[\w.~-]+/.exec((await client.call('whoami', {})).text)?.[0] ?? '';
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    cleanups.push(() => browser.close());
    const page = await browser.newPage();
    await page.goto(link);
    const logIn = async (): Promise<void> => {
      await page.fill('input[name=name]', 'alice');
      await page.fill('input[name=password]', 'alice');
      await page.click('button.wide');
    };
    await logIn();
    await page.click('button[value=connect]');
    await page.waitForURL((url) => url.origin === new URL(world.issuer.issuer).origin);
    await logIn();
    await page.click('button[value=allow]');
    await page.waitForURL(/\/oauth\/callback/);
    expect(await page.textContent('h1')).toBe('Connected');
    expect((await client.call('whoami', {})).text).toContain('"subject":"alice"');
  });
});
