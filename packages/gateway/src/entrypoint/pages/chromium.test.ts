/** The pages in a real browser, which has its own mind about cookies, origins and policies of content. */

import { existsSync } from 'node:fs';

import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startDesk, type Desk } from '../desk.fixture.ts';

const CHROMIUM = '/usr/bin/chromium';
const here = existsSync(CHROMIUM);
if (!here) process.stderr.write(`SKIPPED: the pages are not tested in a browser, because ${CHROMIUM} is not there.\n`);

/** Not as root only: a container often has no user namespaces to make a sandbox of. */
const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'];

describe.skipIf(!here)('in Chromium', () => {
  let desk: Desk;
  let browser: Browser;

  beforeAll(async () => {
    [desk, browser] = await Promise.all([
      startDesk(),
      chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS, timeout: 20_000 }),
    ]);
  }, 40_000);

  afterAll(async () => {
    await browser?.close();
    await desk?.close();
  });

  /** A window of somebody who opened a page of ours and logged in on the way. What the console says is collected. */
  async function windowOf(name: string, url: string): Promise<{ context: BrowserContext; page: Page; said: string[] }> {
    const context = await browser.newContext();
    context.setDefaultTimeout(10_000);
    const page = await context.newPage();
    const said: string[] = [];
    page.on('console', (message) => {
      if (message.location().url.startsWith(desk.url)) said.push(message.text());
    });
    await page.goto(url);
    await page.fill('#name', name);
    await page.fill('#password', name);
    await page.click('form[action$="/login"] button');
    await page.waitForURL(url);
    return { context, page, said };
  }

  test('a person logs in, reads what will happen, and approves it', async () => {
    const approval = desk.approvals.add({ arguments: { sql: 'DELETE FROM invoices', note: 'a\u202eb <b>bold</b>' } });
    const { context, page, said } = await windowOf('carol', `${desk.url}/approvals`);
    await page.click(`a[href="/approvals/${approval.id}"]`);
    expect(await page.textContent('h1')).toContain('alice asks to call db/drop_table');
    const shown = await page.textContent('main');
    for (const text of ['DELETE FROM invoices', 'aU+202Eb <b>bold</b>', 'High risk', 'production-writes']) {
      expect(shown).toContain(text);
    }
    expect(await page.locator('main b').count()).toBe(0);
    await page.click('text=Approve');
    await page.waitForSelector('.notice.good');
    expect(page.url()).toBe(`${desk.url}/approvals/${approval.id}`);
    expect(await page.textContent('.notice')).toContain('alice can make this call now');
    await page.reload();
    expect(await page.textContent('.needs')).toContain('Approved by carol in the browser');
    // The style was taken and nothing else was tried: no policy was broken.
    expect(said).toEqual([]);
    const background = await page.evaluate('getComputedStyle(document.querySelector(".card")).borderRadius');
    expect(background).toBe('14px');
    await context.close();
  }, 60_000);

  test('a page of another site can neither decide, nor show ours in a frame', async () => {
    const approval = desk.approvals.add();
    const { context, page } = await windowOf('carol', `${desk.url}/approvals/${approval.id}`);
    const token = await page.getAttribute('input[name=token]', 'value');
    // Another origin: the same machine under another name.
    const stranger = `http://localhost:${new URL(desk.url).port}`;
    await page.route(`${stranger}/evil`, (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<form id="f" method="post" action="${desk.url}/approvals/${approval.id}"><input name="verdict" value="approved">
<input name="token" value="${token}"></form><iframe src="${desk.url}/approvals/${approval.id}"></iframe>`,
      }),
    );
    await page.goto(`${stranger}/evil`);
    // What a browser shows in place of a page that must not be framed.
    await expect.poll(() => page.frames().at(-1)?.url()).toBe('chrome-error://chromewebdata/');
    const [answer] = await Promise.all([
      page.waitForResponse((one) => one.request().method() === 'POST'),
      page.evaluate('document.getElementById("f").submit()'),
    ]);
    expect(answer.status()).toBe(403);
    const [waiting] = (await desk.approvals.waitingFor(await carol())).filter(({ id }) => id === approval.id);
    expect(waiting?.status).toBe('pending');
    await context.close();
  }, 60_000);

  test('the keyboard alone is enough, and every control has a name', async () => {
    const approval = desk.approvals.add();
    const { context, page } = await windowOf('carol', `${desk.url}/approvals/${approval.id}`);
    const names: string[] = [];
    for (let presses = 0; presses < 4; presses += 1) {
      await page.keyboard.press('Tab');
      names.push(String(await page.evaluate('document.activeElement.textContent.trim()')));
    }
    expect(names).toEqual(['Sallyport', 'Log out', 'Approve', 'Decline']);
    await page.keyboard.press('Enter');
    await page.waitForSelector('.notice.bad');
    await context.close();
  }, 60_000);

  test.each([360, 1_280])(
    'nothing is wider than a window of %d pixels',
    async (width) => {
      const approval = desk.approvals.add({
        address: `db/${'a_very_long_name_'.repeat(6)}`,
        arguments: { long: 'x'.repeat(500), nested: { list: ['y'.repeat(300)] } },
      });
      const { context, page } = await windowOf('carol', `${desk.url}/approvals/${approval.id}`);
      await page.setViewportSize({ width, height: 700 });
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      await context.close();
    },
    60_000,
  );

  const carol = async () => {
    const { principal } = await import('../../authz/authorizer-fixture.ts');
    return principal('carol', { groups: ['dba'], issuer: desk.provider.issuer });
  };
});
