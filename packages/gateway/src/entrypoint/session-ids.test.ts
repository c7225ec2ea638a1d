import { randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { createSealer } from '../seal/aead-sealer.ts';
import { newKeyRing } from '../seal/key-ring.ts';
import type { NewSession, SessionIds } from './session-ids.ts';
import { createSessionIds } from './session-ids.ts';

const MAX_ID_LENGTH = 2048;
const ring = newKeyRing(randomBytes);

let nowMs = 1_000_000;
const now = (): number => nowMs;
const sealer = createSealer(ring, { now, randomBytes });
const ids: SessionIds = createSessionIds({ sealer, now, randomBytes, lifetimeMs: 1_000 });

const session: NewSession = {
  principal: '7:default/7:api-key/alice',
  path: '/mcp',
  revision: '2025-06-18',
  info: { name: 'client', version: '1.0.0' },
  capabilities: { roots: { listChanged: true }, sampling: {} },
};

function issue(wanted: NewSession): string {
  const issued = ids.issue(wanted);
  if (!issued.ok) throw new Error('the session must fit');
  return issued.value.id;
}

describe('createSessionIds', () => {
  test('finds again what it put into an id', () => {
    expect(ids.open(issue(session), '/mcp')).toMatchObject({ ...session, expiresAtMs: nowMs + 1_000 });
  });

  test('gives every session an id and a nonce of its own', () => {
    const [first, second] = [issue(session), issue(session)];
    expect(first).not.toBe(second);
    expect(ids.open(first, '/mcp')?.nonce).not.toBe(ids.open(second, '/mcp')?.nonce);
  });

  test('opens an id on its own endpoint only', () => {
    const id = issue({ ...session, path: '/servers/files/mcp' });
    expect(ids.open(id, '/servers/files/mcp')).toBeDefined();
    expect(ids.open(id, '/servers/other/mcp')).toBeUndefined();
    expect(ids.open(id, '/mcp')).toBeUndefined();
  });

  test('opens no id that has expired', () => {
    const id = issue(session);
    nowMs += 1_000;
    expect(ids.open(id, '/mcp')).toBeUndefined();
  });

  test('opens no sealed value that was made for something else', () => {
    expect(ids.open(sealer.seal('cursor', { k: 'a', p: '/mcp' }, 1_000), '/mcp')).toBeUndefined();
    expect(ids.open(sealer.seal('session', { k: 'a', p: '/mcp' }, 1_000), '/mcp')).toBeUndefined();
  });

  test('shortens what a client says of itself before it refuses it', () => {
    const info = { name: 'n'.repeat(300), version: 'v'.repeat(300), icons: ['x'.repeat(3_000)] };
    const id = issue({ ...session, info });
    expect(id.length).toBeLessThan(MAX_ID_LENGTH);
    const opened = ids.open(id, '/mcp');
    expect(opened?.info).toEqual({ name: 'n'.repeat(64), version: 'v'.repeat(64) });
    expect(opened?.capabilities).toEqual(session.capabilities);
  });

  test('leaves out experimental capabilities when they do not fit', () => {
    const capabilities = { ...session.capabilities, experimental: { x: 'y'.repeat(3_000) } };
    expect(ids.open(issue({ ...session, capabilities }), '/mcp')?.capabilities).toEqual(session.capabilities);
  });

  test('keeps experimental capabilities that fit', () => {
    const capabilities = { experimental: { x: {} } };
    expect(ids.open(issue({ ...session, capabilities }), '/mcp')?.capabilities).toEqual(capabilities);
  });

  test('refuses what does not fit even then', () => {
    expect(ids.issue({ ...session, capabilities: { roots: 'x'.repeat(3_000) } }).ok).toBe(false);
  });

  test('keeps the longest id below 2 KiB', () => {
    for (let length = 0; length < 1_400; length += 7) {
      const issued = ids.issue({ ...session, capabilities: { roots: 'x'.repeat(length) } });
      if (issued.ok) expect(issued.value.id.length).toBeLessThan(MAX_ID_LENGTH);
    }
  });
});
