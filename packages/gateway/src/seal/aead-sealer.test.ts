import { randomBytes } from 'node:crypto';

import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isJsonObject } from '../model/json.ts';
import { Secret } from '../model/secret.ts';
import { createSealer } from './aead-sealer.ts';
import type { KeyRing } from './key-ring.ts';
import { newKeyRing } from './key-ring.ts';
import type { SealPurpose } from './sealer.ts';

const PURPOSES: readonly SealPurpose[] = ['session', 'cursor', 'request-state', 'task', 'request-id', 'event-id'];

const ring = newKeyRing(randomBytes);
const fixedNow = { now: () => 1_000, randomBytes };

describe('createSealer', () => {
  test('opens what it sealed', () => {
    const sealer = createSealer(ring, fixedNow);
    fc.assert(
      fc.property(fc.constantFrom(...PURPOSES), fc.dictionary(fc.string(), fc.jsonValue()), (purpose, value) => {
        const payload: unknown = JSON.parse(JSON.stringify(value));
        if (!isJsonObject(payload)) throw new Error('a dictionary is an object');
        expect(sealer.open(purpose, sealer.seal(purpose, payload, 10))).toEqual({ ok: true, value: payload });
      }),
    );
  });

  test('writes visible ASCII, and never the same token twice', () => {
    const sealer = createSealer(ring, fixedNow);
    const tokens = Array.from({ length: 50 }, () => sealer.seal('cursor', { secretWord: 'ünseen' }, 10));
    expect(new Set(tokens).size).toBe(tokens.length);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/);
  });

  test('refuses a token with any one bit flipped', () => {
    const sealer = createSealer(ring, fixedNow);
    const token = sealer.seal('session', { a: 1 }, 10);
    for (let at = 0; at < token.length; at += 1) {
      for (let bit = 0; bit < 7; bit += 1) {
        const flipped = String.fromCharCode(token.charCodeAt(at) ^ (1 << bit));
        const altered = token.slice(0, at) + flipped + token.slice(at + 1);
        expect(sealer.open('session', altered).ok, `bit ${bit} of character ${at}`).toBe(false);
      }
    }
  });

  test('never opens a token for another purpose', () => {
    const sealer = createSealer(ring, fixedNow);
    for (const sealed of PURPOSES) {
      const token = sealer.seal(sealed, { a: 1 }, 10);
      for (const opened of PURPOSES) expect(sealer.open(opened, token).ok).toBe(sealed === opened);
    }
  });

  test('refuses a token from the moment it expires, also one it remembers', () => {
    let now = 0;
    const sealer = createSealer(ring, { now: () => now, randomBytes });
    const token = sealer.seal('session', { a: 1 }, 100);
    now = 99;
    expect(sealer.open('session', token).ok).toBe(true);
    now = 100;
    expect(sealer.open('session', token)).toEqual({ ok: false, error: 'expired' });
    expect(sealer.open('session', token)).toEqual({ ok: false, error: 'expired' });
  });

  test('opens what an older key of the ring sealed, and nothing sealed by a key that left it', () => {
    const added = newKeyRing(randomBytes);
    const rotated: KeyRing = { current: added.current, keys: [...ring.keys, ...added.keys] };
    const token = createSealer(ring, fixedNow).seal('cursor', { a: 1 }, 10);
    expect(createSealer(rotated, fixedNow).open('cursor', token).ok).toBe(true);
    expect(createSealer(added, fixedNow).open('cursor', token)).toEqual({ ok: false, error: 'unknown-key' });
  });

  test('seals under the current key', () => {
    const other = newKeyRing(randomBytes);
    const sealer = createSealer({ current: other.current, keys: [...ring.keys, ...other.keys] }, fixedNow);
    expect(sealer.seal('cursor', {}, 10).startsWith(`${other.current}.`)).toBe(true);
  });

  test('calls a token forged when another secret stands behind the same key id', () => {
    const impostor = { current: ring.current, keys: [{ id: ring.current, secret: new Secret('A'.repeat(43)) }] };
    const token = createSealer(impostor, fixedNow).seal('cursor', {}, 10);
    expect(createSealer(ring, fixedNow).open('cursor', token)).toEqual({ ok: false, error: 'forged' });
  });

  test.each([
    ['empty', ''],
    ['no dot', 'abc'],
    ['no key id', '.abc'],
    ['too short', `${ring.current}.AAAA`],
    ['not base64url', `${ring.current}.${'+/'.repeat(40)}`],
    ['padded', `${ring.current}.${'AAAA'.repeat(20)}=`],
    ['too long', `${ring.current}.${'A'.repeat(9_000)}`],
  ])('calls a text malformed that is %s', (_name, token) => {
    expect(createSealer(ring, fixedNow).open('cursor', token)).toEqual({ ok: false, error: 'malformed' });
  });

  test('never throws, whatever the text', () => {
    const sealer = createSealer(ring, fixedNow);
    const refused = (token: string): void => {
      expect(sealer.open('session', token).ok).toBe(false);
    };
    fc.assert(fc.property(fc.string(), refused));
    fc.assert(fc.property(fc.base64String(), (text) => refused(`${ring.current}.${text}`)));
  });

  test('hands out remembered payloads that nobody can change', () => {
    const sealer = createSealer(ring, fixedNow);
    const token = sealer.seal('session', { client: { name: 'a' } }, 10);
    const [first, second] = [sealer.open('session', token), sealer.open('session', token)];
    if (!first.ok || !second.ok) throw new Error('the token must open');
    expect(second.value).toBe(first.value);
    expect(Object.isFrozen(first.value['client'])).toBe(true);
  });

  test('remembers no more sessions than it was told to', () => {
    const sealer = createSealer(ring, { ...fixedNow, rememberedSessions: 2 });
    const [first = '', ...later] = [1, 2, 3].map((n) => sealer.seal('session', { n }, 10));
    const before = sealer.open('session', first);
    for (const token of later) sealer.open('session', token);
    const after = sealer.open('session', first);
    if (!before.ok || !after.ok) throw new Error('the token must open');
    expect(after.value).toEqual(before.value);
    expect(after.value).not.toBe(before.value);
  });

  test('refuses a ring without its current key, and a lifetime of zero', () => {
    expect(() => createSealer({ ...ring, current: 'absent' }, fixedNow)).toThrow('no key with the id');
    expect(() => createSealer(ring, fixedNow).seal('cursor', {}, 0)).toThrow('lifetime');
  });
});
