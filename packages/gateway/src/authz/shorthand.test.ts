import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  authorizerFor,
  callOf,
  CLIENT,
  principal,
  problemsOf,
  requestFor,
  resource,
  serverEntry,
  tool,
} from './authorizer-fixture.ts';
import { cedarString, compileShorthand, type AllowRule } from './shorthand.ts';

const alice = principal('alice', { groups: ['engineering'] });

const allow = (...rules: readonly AllowRule[]) => authorizerFor({ shorthand: [{ server: 'files', rules }] });
const may = (rule: AllowRule, address: string, who = alice) =>
  allow(rule).authorize(callOf(who, tool(address))).effect === 'allow';

describe('the allow list', () => {
  const engineering = { kind: 'group', name: 'engineering' } as const;
  const cases: readonly [string, AllowRule, string, boolean][] = [
    ['a pattern covers its names', { who: engineering, tools: ['read_*'] }, 'files/read_file', true],
    ['a pattern covers no others', { who: engineering, tools: ['read_*'] }, 'files/write_file', false],
    ['a pattern is anchored', { who: engineering, tools: ['read'] }, 'files/read_file', false],
    ['one of several is enough', { who: engineering, tools: ['x', '*_file'] }, 'files/write_file', true],
    ['a star covers all', { who: engineering, tools: ['*'] }, 'files/anything', true],
    ['other servers are not meant', { who: engineering, tools: ['*'] }, 'notes/anything', false],
    ['other groups are not meant', { who: { kind: 'group', name: 'sales' }, tools: ['*'] }, 'files/x', false],
    ['a user is meant by name', { who: { kind: 'user', name: 'alice' }, tools: ['*'] }, 'files/x', true],
    ['another user is not meant', { who: { kind: 'user', name: 'bob' }, tools: ['*'] }, 'files/x', false],
    ['anyone is', { who: { kind: 'anyone' }, tools: ['*'] }, 'files/x', true],
    ['tools do not follow from prompts', { who: engineering, prompts: ['*'] }, 'files/x', false],
    ['no list is no tool', { who: engineering }, 'files/x', false],
    ['an empty list is no tool', { who: engineering, tools: [] }, 'files/x', false],
  ];
  it.each(cases)('%s', (_, rule, address, expected) => expect(may(rule, address)).toBe(expected));

  it('lets its people connect, and nobody else', () => {
    const authorizer = allow({ who: engineering });
    expect(authorizer.admit({ principal: alice, client: CLIENT }, serverEntry('files')).admitted).toBe(true);
    expect(authorizer.admit({ principal: principal('bob'), client: CLIENT }, serverEntry('files')).admitted).toBe(
      false,
    );
    expect(authorizer.admit({ principal: alice, client: CLIENT }, serverEntry('notes')).admitted).toBe(false);
  });

  it('does not open methods that nobody knows', () => {
    const extension = { kind: 'extension', method: 'x/y', params: {} } as const;
    expect(
      allow({ who: { kind: 'anyone' }, tools: ['*'], prompts: ['*'], resources: ['*'] }).authorize(
        requestFor(alice, serverEntry('files'), extension),
      ).effect,
    ).toBe('deny');
  });

  it('covers resources by URI, where a question mark is a question mark', () => {
    const authorizer = allow({ who: engineering, resources: ['https://x.example/a?id=*'] });
    const read = (uri: string) =>
      authorizer.authorize(requestFor(alice, resource('files', uri), { kind: 'read-resource', uri })).effect;
    expect(read('https://x.example/a?id=7')).toBe('allow');
    expect(read('https://x.example/abid=7')).toBe('deny');
  });

  it('names its policies after server and place', () => {
    const authorizer = allow(
      { who: engineering, tools: ['x'] },
      { who: { kind: 'user', name: 'alice' }, tools: ['y'] },
    );
    expect(authorizer.authorize(callOf(alice, tool('files/y'))).grounds.policies).toEqual(['files.allow[1]']);
  });

  it('is refused with all its faults at once', () => {
    const rules: AllowRule[] = [
      { who: { kind: 'group', name: '' }, tools: ['read_?', ''] },
      { who: { kind: 'user', name: 'a\ud800' }, tools: ['ok'] },
    ];
    expect(problemsOf({ shorthand: [{ server: 'files', rules }] })).toEqual([
      'servers.files: policy "files.allow[0]": The group has no name.',
      'servers.files: policy "files.allow[0]": The pattern "read_?" of tools uses "?"; only "*" is a wildcard here.',
      'servers.files: policy "files.allow[0]": A pattern of tools is empty or not valid Unicode.',
      `servers.files: policy "files.allow[1]": The user's name is not valid Unicode.`,
    ]);
  });
});

describe('compiled text', () => {
  const hostile = fc.oneof(
    fc.string({ minLength: 1, maxLength: 30, unit: 'binary' }).filter((text) => text.isWellFormed()),
    fc
      .array(
        fc.constantFrom(
          '"',
          '\\',
          ');',
          ' permit(principal,action,resource);',
          '//',
          '\n',
          '\0',
          '*',
          '}',
          '\\"',
          'u{22}',
          '||true',
        ),
        { minLength: 1, maxLength: 6 },
      )
      .map((parts) => parts.join('')),
  );

  it('holds any name as one string', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const answer = cedar.policyToJson(`permit (principal == User::${cedarString(text)}, action, resource);`);
        expect(answer).toMatchObject({
          type: 'success',
          json: { principal: { op: '==', entity: { type: 'User', id: text } }, conditions: [] },
        });
      }),
    );
  });

  it('is one permit about one server, whatever names and patterns hold', () => {
    const names = fc.array(hostile, { maxLength: 3 });
    const kind = fc.constantFrom('group', 'user');
    fc.assert(
      fc.property(
        fc.record({ kind, name: hostile, tools: names, resources: names }),
        ({ kind: who, name, tools, resources }) => {
          const rule: AllowRule = { who: { kind: who === 'group' ? 'group' : 'user', name }, tools, resources };
          const { texts, problems } = compileShorthand([{ server: 'files', rules: [rule] }]);
          fc.pre(problems.length === 0);
          const parts = cedar.policySetTextToParts(texts.map(({ text }) => text).join('\n'));
          expect(parts).toMatchObject({ type: 'success', policies: [expect.any(String)], policy_templates: [] });
          expect(cedar.policyToJson(texts[0]?.text ?? '')).toMatchObject({
            type: 'success',
            json: {
              effect: 'permit',
              principal: { entity: { id: name } },
              resource: { op: 'in', entity: { type: 'Server', id: 'files' } },
            },
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('grants a pattern exactly the names that it spells', () => {
    const piece = fc.constantFrom('a', 'b', '"', '\\', '*', '.', 'ü', '\n');
    const text = fc.array(piece, { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, text, (pattern, name) => {
        const expression = pattern
          .split('*')
          .map((part) => part.replace(/[.\\]/g, '\\$&'))
          .join('[^]*');
        const entry = { ...tool('files/x'), name };
        const effect = allow({ who: { kind: 'anyone' }, tools: [pattern] }).authorize(callOf(alice, entry)).effect;
        expect(effect === 'allow').toBe(new RegExp(`^${expression}$`, 'u').test(name));
      }),
      { numRuns: 100 },
    );
  });
});
