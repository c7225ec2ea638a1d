import { assert, object, property } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isJsonObject } from '../../model/json.ts';
import { argumentsView } from './arguments-view.ts';
import { seen, seenLines } from './html.ts';

const textOf = (html: string): string => html.replaceAll(/<[^>]*>/gu, '');

describe('what cannot be seen', () => {
  test.each([
    ['a right-to-left override', 'a\u202eb', 'U+202E'],
    ['a bidirectional isolate', '\u2066', 'U+2066'],
    ['a zero-width space', 'zero\u200bwidth', 'U+200B'],
    ['a zero-width joiner', 'a\u200db', 'U+200D'],
    ['a byte order mark', '\ufeff', 'U+FEFF'],
    ['a tag character', '\u{e0041}', 'U+E0041'],
    ['a variation selector', 'x\ufe0f', 'U+FE0F'],
    ['a control', '\u0000', 'U+0000'],
    ['an escape', '\u001b[2J', 'U+001B'],
    ['a delete', '\u007f', 'U+007F'],
    ['a line separator', '\u2028', 'U+2028'],
    ['a no-break space', 'a\u00a0b', 'U+00A0'],
    ['an ideographic space', '\u3000', 'U+3000'],
    ['a Hangul filler', '\u3164', 'U+3164'],
    ['a blank braille pattern', '\u2800', 'U+2800'],
    ['a lone surrogate', '\ud800', 'U+D800'],
    ['a private character', '\ue000', 'U+E000'],
    ['a tab', '\t', 'U+0009'],
    ['a carriage return', '\r', 'U+000D'],
  ])('stands there by its number: %s', (_, text, number) => {
    expect(seenLines(text).text).toContain(`>${number}<`);
  });

  test('leaves ordinary texts of any script as they are', () => {
    for (const text of ['Grüße', 'こんにちは', 'שלום', 'نص عربي', 'naïve — “quoted”', '😀']) {
      expect(seen(text).text).toBe(text);
    }
  });

  test('breaks a line only where it is shown that the text does', () => {
    expect(seenLines('a\nb').text).toBe('a<span class="odd line">↵</span>\nb');
    expect(seen('a\nb').text).toContain('U+000A');
  });
});

describe('arguments', () => {
  test('are text, whatever they look like', () => {
    const hostile = '"><script>alert(1)</script><img src=x onerror=alert(1)>&amp;';
    const { html } = argumentsView({ [hostile]: hostile, nested: { [hostile]: [hostile] } });
    expect(html.text).not.toMatch(/<script|<img/u);
    expect(html.text.match(/&lt;script&gt;/gu)).toHaveLength(4);
  });

  test('inside one text cannot pass for another argument', () => {
    const { html } = argumentsView({ note: 'x"\n},\n"amount": 1', options: { note: 'x",\n  "amount": 1' } });
    // At the top each has a box; within a structure no text breaks a line.
    expect(html.text.match(/<dt>/gu)).toHaveLength(2);
    expect(html.text).toContain('x&quot;,<span class="odd">U+000A</span>  &quot;amount&quot;: 1');
  });

  test('keep their structure and their kinds apart', () => {
    const { html, cut } = argumentsView({ a: '1', b: 1, c: true, d: null, e: '', f: [], g: { h: ['true', true] } });
    expect(textOf(html.text)).toContain('text, 1 character');
    expect(html.text).toContain('<small>empty</small>');
    expect(html.text).toContain('<span class="s">"true"</span>,');
    expect(html.text).toContain('<span class="n">true</span>');
    expect(cut).toBe(false);
  });

  test.each([
    ['a long text', { a: 'x'.repeat(8_001) }],
    ['many long texts', Object.fromEntries(Array.from({ length: 10 }, (_, at) => [`a${at}`, 'x'.repeat(7_000)]))],
    ['many arguments', Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`a${at}`, at]))],
    ['a long list', { a: Array.from({ length: 5_000 }, () => 1) }],
    ['a deep structure', { a: JSON.parse(`${'['.repeat(20)}${']'.repeat(20)}`) as never }],
    ['a long name', { ['n'.repeat(301)]: 1 }],
    ['a long key inside', { a: { ['n'.repeat(301)]: 1 } }],
    ['a long text inside', { a: ['x'.repeat(9_000)] }],
  ])('that are too much for a page are cut, and it is said: %s', (_, args) => {
    const { html, cut } = argumentsView(args);
    expect(cut).toBe(true);
    expect(html.text.length).toBeLessThan(400_000);
  });

  test('of any shape are shown whole, or said to be cut', () => {
    assert(
      property(object({ maxDepth: 4 }), (value) => {
        const args: unknown = JSON.parse(JSON.stringify(value));
        if (!isJsonObject(args)) return;
        const { html, cut } = argumentsView(args);
        expect(html.text).not.toMatch(/<(?!\/?(?:dl|dt|dd|div|code|small|pre|span|p)[ >])/u);
        if (cut) return;
        for (const name of Object.keys(args)) expect(html.text).toContain(seen(name).text);
      }),
      { numRuns: 500 },
    );
  });
});
