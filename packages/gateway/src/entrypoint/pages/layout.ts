/** What every page has around it, and how it is written. */

import type { OwnArrival } from '../arrival.ts';
import { respondOwn } from '../api/respond.ts';
import { Html, markup, seen } from './html.ts';
import { PAGE_HEADERS, STYLE } from './style.ts';

export type Page = {
  readonly status?: number;
  readonly title: string;
  readonly body: Html;
  /** Who is logged in. */
  readonly viewer?: string;
  /** `Set-Cookie` values. */
  readonly cookies?: readonly string[];
  /** Names and values in turn. */
  readonly headers?: readonly string[];
};

/** A gate with its grating half up. */
const MARK = new Html(
  '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" aria-hidden="true">' +
    '<path d="M3 21V11a9 9 0 0 1 18 0v10"/><path d="M8 4v9M12 3v10M16 4v9M4 9h16"/></svg>',
);

const SHEET = new Html(`<style>${STYLE}</style>`);

export function respondPage(arrival: OwnArrival, page: Page): void {
  const cookies = (page.cookies ?? []).flatMap((cookie) => ['Set-Cookie', cookie]);
  respondOwn(arrival, {
    status: page.status ?? 200,
    type: 'text/html; charset=utf-8',
    body: documentOf(page).text,
    headers: [...PAGE_HEADERS, ...(page.headers ?? []), ...cookies],
  });
}

/** 303: whatever the method was, the next one is GET. */
export function redirect(arrival: OwnArrival, location: string, cookies: readonly string[] = []): void {
  respondOwn(arrival, {
    status: 303,
    type: 'text/plain; charset=utf-8',
    body: '',
    headers: ['Location', location, ...PAGE_HEADERS, ...cookies.flatMap((cookie) => ['Set-Cookie', cookie])],
  });
}

const documentOf = ({ title, body, viewer }: Page): Html =>
  markup`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} · Sallyport</title>
        ${SHEET}
      </head>
      <body>
        <header>
          <div class="bar">
            <a class="brand" href="/approvals">${MARK}Sallyport</a>
            ${viewer === undefined ? undefined : viewerBar(viewer)}
          </div>
        </header>
        <main>${body}</main>
      </body>
    </html> `;

/** The form has no token: its origin is checked, and all that a forged one could do is to log somebody out. */
const viewerBar = (name: string): Html =>
  markup`<div class="viewer">
    <span><span class="as">Logged in as </span><b>${seen(name)}</b></span>
    <form class="inline" method="post" action="/logout"><button class="quiet">Log out</button></form>
  </div>`;
