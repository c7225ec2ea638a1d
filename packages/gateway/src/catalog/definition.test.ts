import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson } from '../model/canonical-json.ts';
import { item, toolItem } from './catalog-fixture.ts';
import { DEFAULT_DEFINITION_LIMITS, readDefinition } from './definition.ts';
import type { JsonObject } from '../model/json.ts';
import type { ListKind } from '../model/operation.ts';

const read = (kind: ListKind, definition: JsonObject) =>
  readDefinition(kind, item(definition), DEFAULT_DEFINITION_LIMITS);

describe('readDefinition', () => {
  it('takes and freezes a sound definition', () => {
    const definition = { name: 'a', inputSchema: { type: 'object', properties: { x: { enum: [1] } } } };
    const taken = read('tools', definition);
    expect(taken).toMatchObject({ ok: true, value: { name: 'a', definition } });
    expect(Object.isFrozen(definition.inputSchema.properties.x.enum)).toBe(true);
  });

  const refused: readonly [string, ListKind, JsonObject, string][] = [
    ['no name', 'tools', { inputSchema: {} }, 'a definition without "name" was left out'],
    ['an empty name', 'prompts', { name: '' }, 'a definition without "name" was left out'],
    ['a number for a name', 'prompts', { name: 7 }, 'a definition without "name" was left out'],
    ['no URI', 'resources', { name: 'x' }, 'a definition without "uri" was left out'],
    ['no schema', 'tools', { name: 'a' }, '"a" was left out: its inputSchema is not an object'],
    [
      'a list for a schema',
      'tools',
      { name: 'a', inputSchema: [] },
      '"a" was left out: its inputSchema is not an object',
    ],
    [
      'a zero-width space',
      'prompts',
      { name: 'a\u200bb' },
      '"a\\u200bb" was left out: its name has invisible or direction-changing characters',
    ],
    [
      'a bidirectional override',
      'prompts',
      { name: 'a\u202eb' },
      '"a\\u202eb" was left out: its name has invisible or direction-changing characters',
    ],
    [
      'tag characters',
      'prompts',
      { name: 'a\u{e0041}' },
      '"a\\udb40\\udc41" was left out: its name has invisible or direction-changing characters',
    ],
    [
      'a variation selector',
      'prompts',
      { name: 'a\ufe0f' },
      '"a\\ufe0f" was left out: its name has invisible or direction-changing characters',
    ],
    [
      'a lone surrogate',
      'prompts',
      { name: 'a\ud800' },
      '"a\\ud800" was left out: its name has invisible or direction-changing characters',
    ],
    [
      'a no-break space',
      'prompts',
      { name: 'a\u00a0b' },
      '"a\\u00a0b" was left out: its name has invisible or direction-changing characters',
    ],
    [
      'a control',
      'resources',
      { uri: 'file:///a\nb' },
      '"file:///a\\nb" was left out: its uri has invisible or direction-changing characters',
    ],
    [
      'a very long name',
      'prompts',
      { name: 'x'.repeat(257) },
      `"${'x'.repeat(80)}…" was left out: its name is longer than 256 characters`,
    ],
  ];
  it.each(refused)('refuses %s', (_, kind, definition, error) => {
    expect(read(kind, definition)).toEqual({ ok: false, error });
  });

  it('refuses what is too deep or too long, without failing on it', () => {
    let deep: JsonObject = {};
    for (let level = 0; level < 50_000; level++) deep = { deep };
    expect(read('tools', { name: 'a', inputSchema: deep })).toMatchObject({ ok: false });
    expect(read('prompts', { name: 'a', description: 'x'.repeat(1_000_001) })).toMatchObject({ ok: false });
  });

  it('takes names that are merely unusual', () => {
    for (const name of ['größe', '名前', 'with space', 'a.b/c', '🔧'])
      expect(read('prompts', { name })).toMatchObject({ ok: true });
  });

  it('hashes what is said, not how it is spelled', () => {
    const hashOf = (definition: JsonObject) => {
      const taken = read('tools', definition);
      return taken.ok ? taken.value.hash : '';
    };
    const base = { name: 'a', inputSchema: { type: 'object' }, description: 'x' };
    expect(hashOf({ description: 'x', inputSchema: { type: 'object' }, name: 'a' })).toBe(hashOf(base));
    expect(hashOf({ ...base, description: 'y' })).not.toBe(hashOf(base));
    expect(hashOf({ ...base, annotations: { readOnlyHint: true } })).not.toBe(hashOf(base));
    expect(hashOf(toolItem('a').definition)).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('canonicalJson', () => {
  it('orders keys by UTF-16 code units and writes numbers as ECMAScript does (RFC 8785, 3.2)', () => {
    expect(canonicalJson({ '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\u{1f600}': 5, '\u0080': 6, ö: 7 })).toBe(
      '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}',
    );
    expect(canonicalJson([333333333.3333333, 1e30, 4.5, 2e-3, 1e-27, -0])).toBe(
      '[333333333.3333333,1e+30,4.5,0.002,1e-27,0]',
    );
  });

  it('means the same as what it was made from, in one spelling', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const parsed = JSON.parse(JSON.stringify(value));
        const text = canonicalJson(parsed);
        expect(JSON.parse(text)).toEqual(parsed);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });
});
