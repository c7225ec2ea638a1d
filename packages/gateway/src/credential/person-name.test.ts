import { array, assert, constantFrom, property, tuple } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { nameAsPlace, userAsPlace } from './person-name.ts';

describe('a name as part of a place', () => {
  it.each([
    ['alice', 'alice'],
    ['alice.smith-2', 'alice.smith-2'],
    ['alice@example.com', 'alice_40example.com'],
    ['auth0|12_3', 'auth0_7C12_5F3'],
    ['../../etc/passwd', '_2E._2F.._2Fetc_2Fpasswd'],
    ['..', '_2E.'],
    ['.', '_2E'],
    ['-rf', '_2Drf'],
    ['a/b', 'a_2Fb'],
    ['a\\b', 'a_5Cb'],
    ['a\0b', 'a_00b'],
    ['a#b', 'a_23b'],
    ['a%2Fb', 'a_252Fb'],
    ['{tenant}', '_7Btenant_7D'],
    ['a\nb', 'a_0Ab'],
    [' ', '_20'],
    ['é', '_C3_A9'],
    ['😀', '_F0_9F_98_80'],
  ])('%j is written %s', (name, written) => {
    expect(nameAsPlace(name)).toBe(written);
  });

  it.each([
    ['without a character', '', /without a name/],
    ['that is too long', 'a'.repeat(201), /201 characters/],
    ['that is too long once it is written out', '/'.repeat(67), /201 characters/],
    ['that is no valid text', 'a\ud800', /no valid text/],
  ])('%s is refused', (_, name, said) => {
    expect(() => nameAsPlace(name)).toThrow(said);
  });

  it('is never that of another person, and never leaves its place', () => {
    const letter = constantFrom('a', 'B', '5', 'F', '_', '.', '-', '/', '#', '%', '\0', 'é');
    const name = array(letter, { minLength: 1, maxLength: 8 }).map((all) => all.join(''));
    const person = tuple(constantFrom('api-key', 'https://a.example', 'https://a.example#b'), name);
    assert(
      property(person, person, ([issuer, subject], [otherIssuer, otherSubject]) => {
        const place = userAsPlace({ issuer, subject });
        const other = userAsPlace({ issuer: otherIssuer, subject: otherSubject });
        expect(place).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/);
        expect(place === other).toBe(issuer === otherIssuer && subject === otherSubject);
      }),
      { numRuns: 500 },
    );
  });
});
