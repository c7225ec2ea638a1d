import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readListPage } from './list-page.ts';

const read = (text: string, of: Parameters<typeof readListPage>[0] = 'tools') => readListPage(of, Buffer.from(text));

describe('a page of a list', () => {
  it('gives every definition with the text the server wrote', () => {
    const texts = ['{ "name" : "a",\n "vendor":{"x":1.0} }', '{"name":"\\u0062","size":10000000000000000000}'];
    expect(
      read(`{"tools":[ ${texts.join(' , ')} ],"nextCursor":"p2","ttlMs":1500.5,"cacheScope":"public"}`),
    ).toMatchObject({
      ok: true,
      value: {
        items: [
          { definition: { name: 'a', vendor: { x: 1 } }, text: texts[0] },
          { definition: { name: 'b' }, text: texts[1] },
        ],
        malformed: 0,
        nextCursor: 'p2',
        freshness: { ttlMs: 1500, scope: 'public' },
      },
    });
  });

  it('keeps the exact text of any definition, however it is spaced', () => {
    const definition = fc.record({ name: fc.string({ minLength: 1 }), more: fc.jsonValue({ maxDepth: 3 }) });
    fc.assert(
      fc.property(fc.array(definition), fc.constantFrom(undefined, 1, '\t'), (definitions, indent) => {
        const texts = definitions.map((one) => JSON.stringify(one, undefined, indent));
        const page = read(`{"_meta":{"tools":[1]},"tools":[${texts.join(',')}]}`);
        if (!page.ok) throw new Error(page.error);
        // A key "__proto__" anywhere makes a definition unusable; as a value it is a text like any other.
        const usable = texts.filter((text) => !/"__proto__"\s*:/.test(text));
        expect(page.value.items.map(({ text }) => text)).toEqual(usable);
        for (const { definition: parsed, text } of page.value.items) expect(parsed).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each([
    ['alone', '{"name":"a","x":{"__proto__":{"admin":true}}}'],
    ['behind a number that is too large', '{"name":"a","x":[{"size":9007199254740992,"__proto__":null}]}'],
    ['behind a key that stands twice', '{"name":"a","name":"a","x":{"__proto__":{}}}'],
    ['twice', '{"name":"a","__proto__":{},"__proto__":{}}'],
  ])('leaves out a definition with a key "__proto__", %s', (_, text) => {
    expect(read(`{"tools":[${text}]}`)).toMatchObject({ value: { items: [], malformed: 1 } });
  });

  it('writes a definition anew that could be read in two ways', () => {
    const page = read('{"tools":[{"name":"a","description":"harmless","description":"what counts"}]}');
    expect(page).toMatchObject({
      value: { items: [{ text: '{"name":"a","description":"what counts"}' }] },
    });
  });

  it('freezes definitions all the way down', () => {
    const page = read('{"tools":[{"name":"a","inputSchema":{"properties":{"x":[1]}}}]}');
    if (!page.ok) throw new Error(page.error);
    expect(() => {
      Object.assign(page.value.items[0]?.definition['inputSchema'] ?? {}, { type: 'changed' });
    }).toThrow(TypeError);
  });

  it('counts what is no definition, and keeps the rest', () => {
    expect(read('{"tools":[1,{"title":"nameless"},{"name":""},{"name":"a"},null]}')).toMatchObject({
      value: { items: [{ definition: { name: 'a' } }], malformed: 4 },
    });
  });

  it.each([
    ['prompts', '{"prompts":[{"name":"p"}]}'],
    ['resources', '{"resources":[{"uri":"file:///a","name":"a"}]}'],
    ['templates', '{"resourceTemplates":[{"uriTemplate":"file:///{x}","name":"a"}]}'],
  ] as const)('knows where %s stand', (of, text) => {
    expect(read(text, of)).toMatchObject({
      value: { items: [{}], malformed: 0, freshness: { ttlMs: 0, scope: 'private' } },
    });
  });

  it('takes an empty cursor for a cursor', () => {
    expect(read('{"tools":[],"nextCursor":""}')).toMatchObject({ value: { nextCursor: '' } });
  });

  it.each([
    ['{"prompts":[]}', 'has no member "tools"'],
    ['{"tools":{}}', 'has a member "tools" that is not an array'],
    ['{"tools":[', 'is not valid JSON'],
    ['<html>', 'is not valid JSON'],
    ['', 'is not valid JSON'],
  ])('is refused when it is %s', (text, error) => {
    expect(read(text)).toEqual({ ok: false, error });
  });
});
