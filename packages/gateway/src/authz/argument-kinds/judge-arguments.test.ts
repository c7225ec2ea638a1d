import { describe, expect, it } from 'vitest';

import { parsePlace, type ArgumentKind, type DeclaredArgument } from '../../model/argument-kind.ts';
import type { JsonObject } from '../../model/json.ts';
import { judgeArguments } from './judge-arguments.ts';

const PATH: ArgumentKind = { kind: 'path', base: '/srv' };

function declare(place: string, kind: ArgumentKind = PATH): DeclaredArgument {
  const steps = parsePlace(place);
  if (!steps.ok) throw new Error(steps.error);
  return { place, steps: steps.value, kind };
}

const judge = (args: JsonObject, ...places: readonly string[]): JsonObject | string => {
  const result = judgeArguments(
    places.map((place) => declare(place)),
    args,
  );
  return result.ok ? result.value : result.error;
};

describe('declared places', () => {
  it.each<[JsonObject, string[], JsonObject]>([
    [{ path: 'a', n: 1 }, ['path'], { path: '/srv/a', n: 1 }],
    [{ filter: { path: 'a', x: 2 } }, ['filter.path'], { filter: { path: '/srv/a', x: 2 } }],
    [{ files: ['a', 'b'] }, ['files[]'], { files: ['/srv/a', '/srv/b'] }],
    [{ files: [{ path: 'a' }, {}] }, ['files[].path'], { files: [{ path: '/srv/a' }, {}] }],
    [{ from: 'a', to: 'b' }, ['from', 'to'], { from: '/srv/a', to: '/srv/b' }],
  ])('%j at %j are seen as %j', (args, places, seen) => expect(judge(args, ...places)).toEqual(seen));

  it.each<[JsonObject, string]>([
    [{}, 'path'],
    [{ path: null }, 'path'],
    [{ other: 'a' }, 'filter.path'],
    [{ filter: null }, 'filter.path'],
    [{ files: [] }, 'files[]'],
    [{ files: [null] }, 'files[]'],
  ])('%j has nothing to judge at %s, and stays as it is', (args, place) => expect(judge(args, place)).toEqual(args));

  it.each<[JsonObject, string, string]>([
    [{ path: 1 }, 'path', 'no text'],
    [{ path: ['/srv/a'] }, 'path', 'no text'],
    [{ path: { toString: '/srv/a' } }, 'path', 'no text'],
    [{ filter: 'a' }, 'filter.path', 'no object'],
    [{ filter: [{ path: 'a' }] }, 'filter.path', 'no object'],
    [{ files: 'a' }, 'files[]', 'no list'],
    [{ files: { 0: 'a' } }, 'files[]', 'no list'],
    [{ files: ['a', ['b']] }, 'files[]', 'no text'],
    [{ files: ['a', '../b'] }, 'files[]', '".."'],
    [{ files: Array.from({ length: 1_001 }, () => 'a') }, 'files[]', '1000 elements'],
    // Read as the declared one by servers that ignore case, where the later member wins.
    [{ path: 'a', Path: '/etc' }, 'path', 'case'],
    [{ PATH: '/etc' }, 'path', 'case'],
    [{ ｐath: '/etc' }, 'path', 'case'],
    [{ filter: { Path: '/etc' } }, 'filter.path', 'case'],
    [{ Filter: { path: '/etc' } }, 'filter.path', 'case'],
    [{ files: [{ PATH: '/etc' }] }, 'files[].path', 'case'],
  ])('%j cannot be judged at %s', (args, place, reason) => {
    const refused = judge(args, place);
    expect(refused).toContain(`"${place}" (path)`);
    expect(refused).toContain(reason);
  });

  it('may differ in case when each of them is declared', () => {
    expect(judge({ path: 'a', Path: 'b' }, 'path', 'Path')).toEqual({ path: '/srv/a', Path: '/srv/b' });
  });

  it('named __proto__ are members like any other', () => {
    const seen = judge(JSON.parse('{"__proto__": "a", "x": 1}'), '__proto__');
    expect(Object.entries(seen)).toEqual([
      ['__proto__', '/srv/a'],
      ['x', 1],
    ]);
  });

  it('leave the arguments themselves as they are: those are sent', () => {
    const args = { filter: { path: 'a' } };
    judge(args, 'filter.path');
    expect(args).toEqual({ filter: { path: 'a' } });
  });

  it('share one measure for SQL, so that a list of long texts is no way around it', () => {
    const sql = declare('q[]', { kind: 'sql', dialect: 'postgres', functions: [] });
    const result = judgeArguments([sql], { q: Array.from({ length: 3 }, () => `select ${'1,'.repeat(900)}1`) });
    expect(result.ok).toBe(false);
  });
});

describe('the notation of places', () => {
  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    '[]',
    'a[].',
    'a[0]',
    'a[][]',
    Array.from({ length: 17 }, () => 'a').join('.'),
  ])('%j names nothing', (place) => expect(parsePlace(place).ok).toBe(false));
});
