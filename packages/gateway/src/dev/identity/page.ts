/** The frame of every page: one style sheet, and headers that allow nothing else. */

import { createHash } from 'node:crypto';

import { Html, markup } from '../../entrypoint/pages/html.ts';

/**
 * What clients call themselves is shown to a person who decides by it: characters that turn the reading direction or that
 * nobody sees (Unicode classes Cc and Cf) are shown as a replacement character.
 */
const readable = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '\uFFFD');

/** A template of these pages: as {@link markup}, and nothing in it is unseen. */
export const html = (
  strings: TemplateStringsArray,
  ...parts: readonly (Html | string | readonly Html[] | undefined)[]
): Html => markup(strings, ...parts.map((part) => (typeof part === 'string' ? readable(part) : part)));

const STYLE = `
:root { color-scheme: light dark; --paper: #f3f5f7; --card: #ffffff; --ink: #1f2328; --soft: #57606a; --line: #d5dae0;
  --field: #8c959f; --accent: #0a5cc2; --on-accent: #ffffff; --quiet: #f6f8fa; --wrong: #b3261e; --wrong-paper: #fdf0ef }
@media (prefers-color-scheme: dark) { :root { --paper: #0f1318; --card: #171c23; --ink: #e8ebef; --soft: #a2abb6;
  --line: #2c343e; --field: #77818d; --accent: #7ab7ff; --on-accent: #0b1521; --quiet: #1d232c; --wrong: #ffa8a0;
  --wrong-paper: #2e1a1a } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; min-height: 100svh; display: grid; align-content: center; justify-items: center;
  padding: 24px 16px; background: var(--paper); color: var(--ink);
  font: 16px/1.5 ui-sans-serif, system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif }
main { width: 100%; max-width: 440px; padding: 32px; background: var(--card); border: 1px solid var(--line);
  border-radius: 14px }
header { display: flex; align-items: center; gap: 10px; margin-bottom: 24px; color: var(--soft); font-weight: 600 }
header svg { width: 26px; height: 26px; flex: none; color: var(--accent) }
h1 { margin: 0 0 6px; font-size: 24px; line-height: 1.25; font-weight: 650; letter-spacing: -0.01em }
p { margin: 0 0 20px; color: var(--soft); overflow-wrap: anywhere }
strong { color: var(--ink); font-weight: 600 }
label { display: block; margin: 0 0 6px; font-weight: 600 }
input { display: block; width: 100%; margin: 0 0 18px; padding: 10px 12px; font: inherit; color: inherit;
  background: var(--card); border: 1px solid var(--field); border-radius: 8px }
input[aria-invalid=true] { border-color: var(--wrong) }
button { font: inherit; font-weight: 600; padding: 10px 18px; border-radius: 8px; border: 1px solid transparent;
  cursor: pointer; background: var(--accent); color: var(--on-accent) }
button:hover { filter: brightness(1.08) }
button.second { background: transparent; color: var(--ink); border-color: var(--field) }
button.link { padding: 0; border: 0; border-radius: 3px; background: none; color: var(--accent); font-weight: 500;
  text-decoration: underline; text-underline-offset: 3px }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.buttons { display: grid; grid-template-columns: 1fr 1fr; gap: 12px }
.wide { width: 100% }
.wrong { margin: 0 0 20px; padding: 10px 14px; border-radius: 8px; border: 1px solid var(--wrong); color: var(--wrong);
  background: var(--wrong-paper) }
h1 + .wrong { margin-top: 16px }
main > p:last-child { margin: 0 }
dl { margin: 0 0 24px; padding: 4px 16px; background: var(--quiet); border: 1px solid var(--line); border-radius: 10px }
dl div { padding: 12px 0 }
dl div + div { border-top: 1px solid var(--line) }
dt { font-size: 14px; color: var(--soft) }
dd { margin: 2px 0 0; overflow-wrap: anywhere }
dd small { display: block; color: var(--soft); font-size: 14px }
ul { margin: 0; padding: 0; list-style: none }
li + li { margin-top: 8px }
small code { font-size: 13px }
code { font: 14px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace }
footer { margin-top: 24px; padding-top: 16px; border-top: 1px solid var(--line); font-size: 14px; color: var(--soft) }
footer form { display: inline }
@media (max-width: 480px) { body { align-content: start; padding: 12px } main { padding: 24px 20px; border-radius: 12px } }
`;

/** Made outside of a template: the hash in the headers is of exactly these characters. */
const STYLE_ELEMENT = new Html(`<style>${STYLE}</style>`);

/** The arch of a gate, with its door ajar. */
const MARK = html`<svg viewBox="0 0 24 24" fill="none" aria-hidden="true">
  <path d="M3 21V11a9 9 0 0 1 18 0v10" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
  <path d="M8 21v-9.5a4 4 0 0 1 8 0V21" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
  <path d="M2 21h20" stroke="currentColor" stroke-width="2" stroke-linecap="round" />
</svg>`;

export type Page = { readonly title: string; readonly body: Html; readonly foot?: Html };

export function renderPage({ title, body, foot }: Page): string {
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} · Sallyport demo</title>
        ${STYLE_ELEMENT}
      </head>
      <body>
        <main>
          <header>${MARK}<span>Sallyport demo</span></header>
          ${body} ${foot === undefined ? undefined : html`<footer>${foot}</footer>`}
        </main>
      </body>
    </html> `;
  return page.text;
}

const STYLE_HASH = `'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`;

/**
 * No script, no image, no frame, nothing from elsewhere.
 *
 * @param redirectUri Where the client awaits the answer: browsers apply `form-action` to the redirects after a form, too.
 */
export function pageHeaders(redirectUri?: string): Readonly<Record<string, string>> {
  const target = redirectUri === undefined ? undefined : formTarget(redirectUri);
  return {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': [
      "default-src 'none'",
      `style-src ${STYLE_HASH}`,
      `form-action 'self'${target === undefined ? '' : ` ${target}`}`,
      "base-uri 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    'cache-control': 'no-store',
    // Not `no-referrer`: with it browsers send our own forms with the origin `null`.
    'referrer-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cross-origin-opener-policy': 'same-origin',
  };
}

/** The origin of a web address; of an application's own scheme the scheme. */
function formTarget(redirectUri: string): string | undefined {
  const url = URL.parse(redirectUri);
  if (url === null) return undefined;
  return url.protocol === 'http:' || url.protocol === 'https:' ? url.origin : url.protocol;
}
