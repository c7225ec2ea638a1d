/** What a shared session is told: enough for everybody at work, at once; less only when nobody has wanted it for a while. */

import { describe, expect, it } from 'vitest';

import type { LogLevel } from '../model/log-level.ts';
import { LogVerbosity } from './log-verbosity.ts';
import { manualClock, settle } from './testing/test-kit.ts';

function setup() {
  const clock = manualClock();
  const told: LogLevel[] = [];
  let answer: () => void = () => undefined;
  const setLevel = (level: LogLevel): Promise<void> => {
    told.push(level);
    return new Promise((resolve) => (answer = resolve));
  };
  return { clock, told, verbosity: new LogVerbosity({ clock, setLevel }), answer: () => answer() };
}

describe('a session that several calls share', () => {
  it('is told once, and everybody who comes meanwhile waits for it', async () => {
    const { verbosity, told, answer } = setup();
    const [first, second] = [verbosity.want('info'), verbosity.want('info')];
    await settle();
    expect([told, first === second]).toEqual([['info'], true]);
    answer();
    await first;
    expect(verbosity.want('warning')).toBeUndefined();
    expect(verbosity.want('info')).toBeUndefined();
    expect(told).toEqual(['info']);
  });

  it('is raised at once for a call that wants more, and not lowered for one that wants less', async () => {
    const { verbosity, told, answer, clock } = setup();
    for (const level of ['error', 'debug', 'info'] as const) {
      void verbosity.want(level);
      await settle();
      answer();
      await settle();
    }
    expect(told).toEqual(['error', 'debug']);
    await clock.advance(120_000);
    expect([verbosity.want('error'), told]).toEqual([undefined, ['error', 'debug']]);
  });

  it('is lowered by the call that comes when nobody has wanted so much for a minute', async () => {
    const { verbosity, told, answer, clock } = setup();
    void verbosity.want('debug');
    await settle();
    answer();
    await clock.advance(120_000);
    verbosity.done('debug');
    void verbosity.want('error');
    await settle();
    expect(told).toEqual(['debug']);
    await clock.advance(60_001);
    void verbosity.want('warning');
    await settle();
    expect(told).toEqual(['debug', 'warning']);
  });
});
