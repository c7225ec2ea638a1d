import { describe, expect, it } from 'vitest';

import { somebody } from '../model/principal.fixture.ts';
import { placeOf } from './person-secrets.ts';

const FOLDER = '/etc/sallyport';

describe('the place of a person’s secret', () => {
  it.each([
    ['file:./people/{user}/token', 'alice', { kind: 'file', path: '/etc/sallyport/people/alice/token', prefix: '' }],
    ['file:/people/{user}', '../root', { kind: 'file', path: '/people/_2E._2Froot', prefix: '' }],
    ['file:/people/{user}/../{user}', '..', { kind: 'file', path: '/people/_2E.', prefix: '' }],
    [
      'Bearer vault:kv/data/{user}#token',
      'a#b',
      { kind: 'vault', reference: 'kv/data/a_23b#token', prefix: 'Bearer ' },
    ],
    ['exec:pass/{user}', '--help', { kind: 'exec', reference: 'pass/_2D-help', prefix: '' }],
    ['aws-sm:people/{user}', 'x:y', { kind: 'aws-sm', reference: 'people/x_3Ay', prefix: '' }],
  ])('%s of %j is theirs', (template, name, place) => {
    expect(placeOf(template, somebody(name), FOLDER)).toEqual(place);
  });

  it('is another one for the same name with a key and at an issuer', () => {
    const at = (issuer: string) => placeOf('file:/people/{user}', somebody('alice', { issuer }), FOLDER);
    expect(at('api-key')).toMatchObject({ path: '/people/alice' });
    expect(at('https://id.example')).toMatchObject({ path: '/people/https_3A_2F_2Fid.example__alice' });
  });

  it('is of the default tenant unless the tenant is part of it', () => {
    const acme = somebody('alice', { tenant: 'acme' });
    expect(() => placeOf('file:/people/{user}', acme, FOLDER)).toThrow(/Put \{tenant\} into it/);
    expect(placeOf('file:/people/{tenant}/{user}', acme, FOLDER)).toMatchObject({ path: '/people/acme/alice' });
  });

  it('is refused where the store has no such place', () => {
    const long = somebody('a'.repeat(200));
    expect(() => placeOf(`exec:pass/${'b'.repeat(100)}/{user}`, long, FOLDER)).toThrow(/no place of that store/);
  });
});
