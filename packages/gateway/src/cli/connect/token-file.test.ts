import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { stateFolder, TokenFile, type LogIn } from './token-file.ts';

const LOG_IN: LogIn = {
  resource: 'https://mcp.example.com/mcp',
  issuer: 'https://id.example.com',
  clientId: 'c',
  redirectUri: 'http://127.0.0.1:5000/callback',
  accessToken: 'a',
};

describe('the place of a log-in', () => {
  it.each([
    ['linux', { XDG_STATE_HOME: '/state' }, '/state/sallyport'],
    ['linux', {}, '/home/al/.local/state/sallyport'],
    [
      'linux',
      { XDG_STATE_HOME: 'relative, which the specification says to ignore' },
      '/home/al/.local/state/sallyport',
    ],
    ['darwin', {}, '/home/al/Library/Application Support/sallyport'],
  ] as const)('on %s with %j is %s', (platform, env, folder) => {
    expect(stateFolder(env, platform, '/home/al')).toBe(folder);
  });
});

describe('a log-in that is kept', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'log-in-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('is of one endpoint, whatever its address holds', async () => {
    const one = new TokenFile(folder, 'https://mcp.example.com/mcp');
    const other = new TokenFile(folder, 'https://mcp.example.com/../servers/x/mcp');
    await one.write(LOG_IN);
    expect(await one.read()).toEqual(LOG_IN);
    expect(await other.read()).toBeUndefined();
    expect(path.dirname(other.path)).toBe(path.join(folder, 'log-ins'));
  });

  it('is renewed by one bridge at a time', async () => {
    const file = new TokenFile(folder, 'https://mcp.example.com/mcp');
    let inside = 0;
    const work = async (): Promise<number> => {
      inside += 1;
      const seen = inside;
      await file.read();
      inside -= 1;
      return seen;
    };
    expect(await Promise.all(Array.from({ length: 5 }, () => file.inTurn(work)))).toEqual([1, 1, 1, 1, 1]);
  });
});
