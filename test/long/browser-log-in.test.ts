/**
 * The demo's log-in in a real browser: what a person sees and does between a client's first 401 and its first call. Where
 * there is no Chromium this is skipped, and says so; CI installs one.
 */

import { existsSync } from 'node:fs';

import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { StoryClient } from '../../examples/oauth-login/client-provider.ts';
import { startListener, type Listener } from '../../examples/oauth-login/listener.ts';
import { startDemo, type DemoProcess } from '../harness/demo-process.ts';
import { connect, finishLogIn } from '../harness/log-in.ts';
import { connectClient } from '../matrix/clients.ts';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);
if (CHROMIUM === undefined)
  console.warn('SKIPPED, the log-in in a browser: there is no Chromium. apt-get install chromium');

describe.skipIf(CHROMIUM === undefined)('the log-in of the demo in Chromium', () => {
  let demo: DemoProcess;
  let browser: Browser;
  let listener: Listener;
  let page: Page;
  /** What the page asked for, and what the browser had to say about it. */
  let requests: string[];
  let complaints: string[];

  beforeAll(async () => {
    [demo, browser, listener] = await Promise.all([
      startDemo(),
      // As root Chromium has no sandbox to build.
      chromium.launch({ executablePath: CHROMIUM ?? '', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] }),
      startListener('Browser test'),
    ]);
  });

  afterAll(async () => {
    await Promise.all([demo?.close(), browser?.close(), listener?.close()]);
  });

  beforeEach(async () => {
    const context = await browser.newContext();
    page = await context.newPage();
    [requests, complaints] = [[], []];
    page.on('request', (request) => requests.push(new URL(request.url()).origin));
    page.on('console', (message) => complaints.push(message.text()));
  });

  afterEach(() => page.context().close());

  const endpoint = (): string => `${demo.url}/mcp`;

  /** A client that was refused, and the page that it sends its person to. */
  async function begin(name = 'Browser test'): Promise<StoryClient> {
    const application = new StoryClient({ name, redirectUrl: listener.redirectUrl });
    await expect(connect('sdk-v2-modern', endpoint(), application)).rejects.toThrow('Unauthorized');
    await page.goto(String(application.authorizationUrl));
    return application;
  }

  async function fill(user: string, password = demo.passwordOf(user)): Promise<void> {
    await page.getByLabel('Name').fill(user);
    await page.getByLabel('Password').fill(password);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  async function toolsOf(application: StoryClient): Promise<readonly string[]> {
    await finishLogIn('sdk-v2-modern', endpoint(), application, await listener.arrived());
    const client = await connect('sdk-v2-modern', endpoint(), application);
    const { tools } = await client.listTools();
    await client.close();
    return tools.map((tool) => tool.name);
  }

  async function toolsByKey(user: 'alice' | 'bob'): Promise<readonly string[]> {
    const client = await connectClient('sdk-v2-modern', endpoint(), demo.keyOf(user));
    const { tools } = await client.listTools();
    await client.close();
    return tools.map((tool) => tool.name);
  }

  it('lets alice in, who sees what bob does not, both as much as with their keys', async () => {
    const application = await begin();
    expect(await page.title()).toContain('Log in');
    await fill('alice');
    const question = page.getByRole('main');
    for (const words of ['Browser test', endpoint(), 'alice', new URL(listener.redirectUrl).origin, 'mcp']) {
      expect(await question.innerText()).toContain(words);
    }
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('You may close this window.').waitFor();
    const alices = await toolsOf(application);
    expect(alices).toContain('files_write_file');
    expect(alices).toEqual(await toolsByKey('alice'));

    await page.context().clearCookies();
    const other = await begin();
    await fill('bob');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('You may close this window.').waitFor();
    const bobs = await toolsOf(other);
    expect(bobs).toContain('files_read_text_file');
    expect(bobs).not.toContain('files_write_file');
    expect(bobs).toEqual(await toolsByKey('bob'));
  });

  it('says clearly that a password is wrong, keeps the name, and lets the person try again', async () => {
    await begin();
    await fill('alice', 'guess');
    const alert = page.getByRole('alert');
    expect(await alert.innerText()).toBe('Name and password do not belong together. Try again.');
    expect(await page.getByLabel('Name').inputValue()).toBe('alice');
    expect(await page.getByLabel('Password').inputValue()).toBe('');
    await page.locator('#password:focus').waitFor();
    await page.keyboard.type(demo.passwordOf('alice'));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Allow access?' }).waitFor();
  });

  it('needs no mouse, and an Enter too many allows nothing', async () => {
    await begin();
    // The browser gives the focus with the first frame, which may come after the page is loaded.
    await page.locator('#name:focus').waitFor();
    await page.keyboard.type('alice');
    await page.keyboard.press('Tab');
    await page.keyboard.type(demo.passwordOf('alice'));
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Allow access?' }).waitFor();
    await page.keyboard.press('Enter');
    expect(await page.locator(':focus').count()).toBe(0);
    await page.keyboard.press('Tab');
    const focused = page.locator(':focus');
    expect(await focused.innerText()).toBe('Allow');
    expect(await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await page.keyboard.press('Enter');
    await page.getByText('You may close this window.').waitFor();
    await listener.arrived();
  });

  it('tells the client when the person says no', async () => {
    const application = await begin();
    await fill('alice');
    await page.getByRole('button', { name: 'Deny' }).click();
    const answer = application.answerIn(await listener.arrived());
    expect(answer.get('error')).toBe('access_denied');
  });

  it('asks for every client anew, without the password, and lets somebody else log in instead', async () => {
    const first = await begin('First client');
    await fill('alice');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('You may close this window.').waitFor();
    expect(first.answerIn(await listener.arrived()).get('code')).not.toBeNull();

    const second = await begin('Second client');
    expect(await page.getByRole('main').innerText()).toContain('Second client');
    await page.getByRole('button', { name: 'Log in as someone else' }).click();
    await fill('carol');
    expect(await page.getByRole('main').innerText()).toContain('as carol');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('You may close this window.').waitFor();
    const carols = await toolsOf(second);
    expect(carols.length).toBeGreaterThan(0);
    expect(carols.every((name) => name.startsWith('toolbox_'))).toBe(true);
  });

  it('asks for nothing from elsewhere, and the browser has nothing to complain about', async () => {
    await begin();
    await fill('alice');
    await page.getByRole('button', { name: 'Allow' }).click();
    await page.getByText('You may close this window.').waitFor();
    await listener.arrived();
    expect(new Set(requests)).toEqual(new Set([demo.issuer, new URL(listener.redirectUrl).origin]));
    expect(complaints).toEqual([]);
  });

  it.each([
    ['light', 320],
    ['dark', 320],
    ['light', 1280],
    ['dark', 1280],
  ] as const)('fits its window: %s, %i pixels wide', async (colorScheme, width) => {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize({ width, height: 640 });
    await begin('A client with a long name that nobody can pronounce, and_without_a_place_to_break_it_anywhere_at_all');
    await fill('alice');
    await page.getByRole('heading', { name: 'Allow access?' }).waitFor();
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(width);
    const paper = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor');
    const [red = 0] = (/\d+/.exec(paper) ?? []).map(Number);
    expect(colorScheme === 'dark' ? red < 64 : red > 192, paper).toBe(true);
  });

  it('lets the page of the MCP Inspector find its way, and no other page', async () => {
    const metadata = `${demo.url}/.well-known/oauth-protected-resource/mcp`;
    const origin = 'http://localhost:6274';
    const found = await fetch(metadata, { headers: { origin } });
    expect(found.headers.get('access-control-allow-origin')).toBe(origin);
    expect(await found.json()).toMatchObject({ resource: endpoint(), authorization_servers: [demo.issuer] });
    expect((await fetch(metadata, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
  });

  it('takes the registration of a page of this machine, which may read the answer', async () => {
    await page.goto(new URL('/', listener.redirectUrl).href);
    const body = JSON.stringify({ client_name: 'A page', redirect_uris: [listener.redirectUrl] });
    const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
    const read = `fetch('${demo.issuer}/reg', ${JSON.stringify(options)}).then((answer) => answer.json())`;
    expect(await page.evaluate<unknown>(read)).toMatchObject({ client_name: 'A page', client_id: expect.any(String) });
  });

  it('stops with the demo, in order, which wrote of calls and of no trouble', async () => {
    expect(await demo.stop()).toBe(0);
    expect(demo.written()).not.toMatch(/oidc-provider|failed|Error/);
    await expect(fetch(`${demo.issuer}/jwks`)).rejects.toThrow('fetch failed');
  });
});
