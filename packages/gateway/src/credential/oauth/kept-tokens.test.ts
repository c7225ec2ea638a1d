import { beforeEach, describe, expect, it } from 'vitest';

import { Secret } from '../../model/secret.ts';
import { KeptTokens } from './kept-tokens.ts';
import { OAuthError } from './oauth-error.ts';

let nowMs: number;
let asked: number;
let fails: boolean;
let failures: boolean[];

beforeEach(() => {
  [nowMs, asked, fails, failures] = [1_000_000, 0, false, []];
});

const tokens = (lifetimeMs: number): KeptTokens =>
  new KeptTokens({
    now: () => nowMs,
    onFailure: (_, isGood) => void failures.push(isGood),
    async obtain() {
      asked += 1;
      const name = `token-${asked}`;
      if (fails) throw new OAuthError('unreachable', 'away');
      return {
        accessToken: new Secret(name),
        scopes: [],
        obtainedAtMs: nowMs,
        expiresAtMs: nowMs + lifetimeMs,
      };
    },
  });

const valueOf = async (kept: KeptTokens): Promise<string> =>
  (await kept.get('x', undefined)).token.accessToken.expose();

describe('a token that the gateway obtained for itself', () => {
  it('is asked for once, however many wait for it, and then given at once', async () => {
    const kept = tokens(600_000);
    expect(await Promise.all([valueOf(kept), valueOf(kept), valueOf(kept)])).toEqual(['token-1', 'token-1', 'token-1']);
    expect(kept.get('x', undefined)).not.toBeInstanceOf(Promise);
    expect(asked).toBe(1);
  });

  it('is renewed in its last minute, while the old one serves', async () => {
    const kept = tokens(600_000);
    await valueOf(kept);
    nowMs += 541_000;
    expect(await valueOf(kept)).toBe('token-1');
    await expect.poll(() => valueOf(kept)).toBe('token-2');
    expect(asked).toBe(2);
  });

  it('serves until its end when it cannot be renewed, is tried again after a pause, and then fails', async () => {
    const kept = tokens(600_000);
    await valueOf(kept);
    fails = true;
    nowMs += 541_000;
    expect(await valueOf(kept)).toBe('token-1');
    await expect.poll(() => failures).toEqual([true]);
    expect(await valueOf(kept)).toBe('token-1');
    expect(asked).toBe(2);
    nowMs += 60_000;
    await expect(valueOf(kept)).rejects.toThrow('away');
    fails = false;
    expect(await valueOf(kept)).toBe('token-4');
  });

  it('of somebody who came long ago makes room', async () => {
    const kept = new KeptTokens({
      now: () => nowMs,
      maxTokens: 2,
      obtain: (name) => {
        asked += 1;
        return Promise.resolve({ accessToken: new Secret(name), scopes: [], obtainedAtMs: nowMs });
      },
    });
    for (const name of ['a', 'b', 'a', 'c', 'a']) await kept.get(name, undefined);
    expect(asked).toBe(3);
    await kept.get('b', undefined);
    expect(asked).toBe(4);
  });
});
