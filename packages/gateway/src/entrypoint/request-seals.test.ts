import { randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { createSealer } from '../seal/aead-sealer.ts';
import { newKeyRing } from '../seal/key-ring.ts';
import { RequestSeals } from './request-seals.ts';

let nowMs = 0;
const sealer = createSealer(newKeyRing(randomBytes), { now: () => nowMs, randomBytes });
const sealsAt = (path: string): RequestSeals => new RequestSeals({ sealer, path, cursorLifetimeMs: 100 });

describe('RequestSeals', () => {
  test('opens a cursor for the caller and the endpoint that it was made for', () => {
    const seals = sealsAt('/mcp');
    seals.principal = 'alice';
    const text = seals.cursor.seal({ offset: 100, generation: 'g1' });
    expect(text).toMatch(/^[\x21-\x7e]+$/);
    expect(sealsAt('/mcp').cursor.open(text)).toEqual({
      cursor: { offset: 100, generation: 'g1' },
      sealedFor: 'alice',
    });
    expect(sealsAt('/servers/files/mcp').cursor.open(text)).toBeUndefined();
  });

  test('opens no cursor that expired, was altered, or is none', () => {
    const seals = sealsAt('/mcp');
    seals.principal = 'alice';
    const text = seals.cursor.seal({ offset: 100, generation: 'g1' });
    expect(seals.cursor.open(`${text.slice(0, -4)}AAAA`)).toBeUndefined();
    expect(seals.cursor.open('')).toBeUndefined();
    nowMs += 100;
    expect(seals.cursor.open(text)).toBeUndefined();
  });

  test('seals nothing for an unknown caller', () => {
    expect(() => sealsAt('/mcp').cursor.seal({ offset: 1, generation: 'g1' })).toThrow('known principal');
  });
});
