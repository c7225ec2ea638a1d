/** The look of our pages: one style sheet, inside the page, allowed by its hash. No script, no font, no image from anywhere. */

import { hash } from 'node:crypto';

export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f4f6f8; --surface: #ffffff; --sunken: #f3f5f7; --text: #14181d; --muted: #56606c; --line: #dbe1e7;
  --accent: #0a6a72; --on-accent: #ffffff; --accent-soft: #e2f2f2;
  --danger: #b3261e; --danger-soft: #fdeceb; --warn: #7a4a00; --warn-soft: #fff3df; --good: #1c6b3a; --good-soft: #e4f4ea;
  --key: #0b5a80; --string: #1d6a36; --number: #8a3b00; --odd: #a11c6a; --odd-soft: #fbe6f3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1216; --surface: #171c22; --sunken: #101419; --text: #e7ebef; --muted: #9ba6b2; --line: #2a323b;
    --accent: #57c4ca; --on-accent: #04262a; --accent-soft: #12312f;
    --danger: #ff9a8f; --danger-soft: #3a1a18; --warn: #ffcc80; --warn-soft: #352710; --good: #7fd6a0; --good-soft: #122d1d;
    --key: #7cc7ee; --string: #8fd6a2; --number: #f0b27a; --odd: #ff9fd6; --odd-soft: #3b1a2e;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; }
a { color: var(--accent); text-underline-offset: .2em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 6px; }
header { background: var(--surface); border-bottom: 1px solid var(--line); }
.bar { max-width: 46rem; margin: 0 auto; padding: .75rem 1.25rem; display: flex; align-items: center; gap: .5rem 1rem; flex-wrap: wrap; }
.brand { display: flex; align-items: center; gap: .55rem; font-weight: 650; letter-spacing: -.01em; color: var(--text); text-decoration: none; }
.brand svg { width: 1.5rem; height: 1.5rem; color: var(--accent); }
.viewer { margin-left: auto; display: flex; align-items: center; gap: .75rem; font-size: .875rem; color: var(--muted); }
.viewer b { color: var(--text); font-weight: 600; }
main { max-width: 46rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; letter-spacing: -.02em; margin: 0 0 .75rem; font-weight: 680; text-wrap: balance; }
h2 { font-size: .8125rem; letter-spacing: .02em; color: var(--muted); font-weight: 600; margin: 0 0 .6rem; }
p { margin: 0 0 .75rem; }
.lead { color: var(--muted); }
code, pre, .mono { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .9em; }
h1 code { font-size: .92em; background: var(--accent-soft); color: var(--accent); padding: .05em .3em; border-radius: 6px; font-weight: 600; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 1.25rem; margin: 0 0 1rem; }
.card > :last-child { margin-bottom: 0; }
.chips { display: flex; flex-wrap: wrap; gap: .5rem; margin: 0 0 1.25rem; padding: 0; list-style: none; font-size: .875rem; }
.chip { padding: .15rem .65rem; border-radius: 999px; background: var(--surface); border: 1px solid var(--line); color: var(--muted); }
.chip.high { background: var(--danger-soft); border-color: transparent; color: var(--danger); font-weight: 600; }
.chip.medium { background: var(--warn-soft); border-color: transparent; color: var(--warn); font-weight: 600; }
.chip.low { background: var(--good-soft); border-color: transparent; color: var(--good); font-weight: 600; }
.notice { border-radius: 12px; padding: .9rem 1.1rem; margin: 0 0 1.25rem; background: var(--accent-soft); }
.notice.good { background: var(--good-soft); } .notice.bad { background: var(--danger-soft); } .notice.warn { background: var(--warn-soft); }
.notice strong { display: block; margin-bottom: .15rem; }
.notice.good strong { color: var(--good); } .notice.bad strong { color: var(--danger); } .notice.warn strong { color: var(--warn); }
.notice > :last-child { margin-bottom: 0; }
.needs { list-style: none; margin: 0; padding: 0; display: grid; gap: .9rem; }
.needs p { margin: 0; } .needs .state { font-size: .875rem; color: var(--muted); }
.state b { font-weight: 600; color: var(--text); }
.args { display: grid; gap: 1rem; margin: 0; }
.args dt { display: flex; flex-wrap: wrap; gap: .15rem .6rem; align-items: baseline; margin-bottom: .3rem; }
.args dt code { color: var(--key); font-weight: 600; } .args dt small { color: var(--muted); font-size: .8125rem; }
.args dd { margin: 0; }
.value { display: block; margin: 0; padding: .65rem .8rem; background: var(--sunken); border: 1px solid var(--line); border-radius: 9px; white-space: pre-wrap; overflow: hidden; contain: paint; unicode-bidi: isolate; direction: ltr; tab-size: 2; }
.value.text { color: var(--string); } .value.other { color: var(--number); }
.k { color: var(--key); } .s { color: var(--string); unicode-bidi: isolate; } .n { color: var(--number); } .more { color: var(--warn); font-weight: 600; }
.odd { background: var(--odd-soft); color: var(--odd); border-radius: 4px; padding: 0 .25em; font-size: .85em; font-family: ui-monospace, Menlo, Consolas, monospace; white-space: nowrap; }
.odd.line { background: none; opacity: .7; padding: 0 0 0 .15em; }
.facts { display: grid; grid-template-columns: minmax(7rem, auto) 1fr; gap: .45rem 1.25rem; margin: 0; font-size: .9375rem; }
.facts dt { color: var(--muted); } .facts dd { margin: 0; } .facts small { color: var(--muted); }
.decide { display: flex; flex-wrap: wrap; gap: .75rem; margin: 0 0 .9rem; }
button, .button { font: inherit; font-weight: 600; min-height: 2.75rem; padding: .5rem 1.35rem; border-radius: 10px; border: 1px solid var(--line); background: var(--surface); color: var(--text); cursor: pointer; text-decoration: none; display: inline-flex; align-items: center; justify-content: center; }
button:hover, .button:hover { border-color: var(--muted); }
.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); } .primary:hover { filter: brightness(1.08); border-color: var(--accent); }
.decline { color: var(--danger); }
.quiet { min-height: 2rem; padding: .2rem .75rem; font-size: .875rem; font-weight: 500; border-radius: 8px; }
form.inline { margin: 0; }
.hint { color: var(--muted); font-size: .9375rem; }
.list { list-style: none; margin: 0; padding: 0; display: grid; gap: .75rem; }
.list a { display: block; background: var(--surface); border: 1px solid var(--line); border-radius: 14px; padding: 1rem 1.25rem; color: inherit; text-decoration: none; }
.list a:hover { border-color: var(--accent); }
.list .what { font-weight: 600; } .list .meta { color: var(--muted); font-size: .875rem; margin: .25rem 0 0; display: flex; flex-wrap: wrap; gap: .25rem .9rem; align-items: center; }
.list .chip { padding: 0 .55rem; font-size: .8125rem; }
.empty { text-align: center; padding: 3rem 1.25rem; }
pre.setting { white-space: pre-wrap; background: var(--sunken); border: 1px solid var(--line); border-radius: 9px; padding: .8rem 1rem; margin: 0 0 .9rem; }
@media (max-width: 30rem) {
  main { padding: 1.4rem 1rem 3rem; } .bar { padding: .7rem 1rem; } h1 { font-size: 1.35rem; } .card { padding: 1rem; border-radius: 12px; }
  .facts { grid-template-columns: 1fr; gap: .1rem; } .facts dd { margin-bottom: .6rem; }
  .decide button { flex: 1 1 8rem; }
  .as { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
}
@media (prefers-reduced-motion: no-preference) { button, .button, .list a { transition: border-color .12s, filter .12s; } }
@media (forced-colors: active) { .chip, .value, .notice { border: 1px solid; } }
`;

const STYLE_HASH = hash('sha256', STYLE, 'base64');

/**
 * Of every page. Nothing but the one style sheet loads, nothing frames it, forms go nowhere else. `same-origin` and not
 * `no-referrer`: with the latter browsers send `Origin: null` with forms, and the form's origin is checked.
 */
export const PAGE_HEADERS: readonly string[] = [
  'Content-Security-Policy',
  `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
  'Referrer-Policy',
  'same-origin',
  'X-Frame-Options',
  'DENY',
  'Cross-Origin-Opener-Policy',
  'same-origin',
  'Cross-Origin-Resource-Policy',
  'same-origin',
  'Permissions-Policy',
  'camera=(), geolocation=(), microphone=()',
];
