import { randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import type { Operation } from '../model/operation.ts';
import type { Continuation } from '../model/outcome.ts';
import { createSealer } from '../seal/aead-sealer.ts';
import { newKeyRing } from '../seal/key-ring.ts';
import { RequestSeals } from './request-seals.ts';

let nowMs = 0;
const sealer = createSealer(newKeyRing(randomBytes), { now: () => nowMs, randomBytes });
const sealsAt = (path: string): RequestSeals =>
  new RequestSeals({
    sealer,
    path,
    cursorLifetimeMs: 100,
    stateLifetimeMs: 100,
    taskLifetimeMs: 100,
    digestArguments: (args) => JSON.stringify(args),
  });

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

describe('the state between a question and its answer', () => {
  const APPROVAL: Continuation = { kind: 'approval', approvalId: 'a1', linkGiven: true };
  const CALL: Operation = { kind: 'call-tool', name: 'pay', arguments: { amount: 7 } };
  const stateOf = (continuation: Continuation = APPROVAL, path = '/mcp'): string => {
    const seals = sealsAt(path);
    seals.principal = 'alice';
    return seals.state.seal(continuation, CALL);
  };

  test('comes back for the same request, with whom it was made for', () => {
    const opened = sealsAt('/mcp').state.open(stateOf(), CALL);
    expect(opened).toEqual({ ok: true, value: { continuation: APPROVAL, sealedFor: 'alice' } });
  });

  test.each<[string, Operation]>([
    ['other arguments', { kind: 'call-tool', name: 'pay', arguments: { amount: 8 } }],
    ['another tool', { kind: 'call-tool', name: 'refund', arguments: { amount: 7 } }],
    ['another method', { kind: 'get-prompt', name: 'pay', arguments: { amount: 7 } }],
    ['a resource', { kind: 'read-resource', uri: 'pay' }],
  ])('is none for %s', (_, operation) => {
    const opened = sealsAt('/mcp').state.open(stateOf(), operation);
    expect(opened).toEqual({ ok: false, error: 'the state belongs to another request' });
  });

  test('is none on another endpoint, altered anywhere, expired, of another purpose, or of another shape', () => {
    const seals = sealsAt('/mcp');
    seals.principal = 'alice';
    const state = stateOf();
    const refused = (text: string): boolean => !seals.state.open(text, CALL).ok;
    expect(sealsAt('/servers/bank/mcp').state.open(state, CALL).ok).toBe(false);
    expect(refused(seals.cursor.seal({ offset: 1, generation: 'g' }))).toBe(true);
    expect(refused(stateOf({ kind: 'upstream', server: 'bank' } as never))).toBe(true);
    for (let at = 0; at < state.length; at += 1) {
      const flipped = state[at] === 'A' ? 'B' : 'A';
      expect(refused(state.slice(0, at) + flipped + state.slice(at + 1)), `character ${at}`).toBe(true);
    }
    expect(refused(state)).toBe(false);
    nowMs += 100;
    expect(seals.state.open(state, CALL)).toEqual({ ok: false, error: 'the state is expired' });
  });
});
