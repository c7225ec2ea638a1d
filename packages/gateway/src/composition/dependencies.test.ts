import { describe, expect, it } from 'vitest';

import { Dependencies, type DependencyState } from './dependencies.ts';

describe('what the gateway depends on', () => {
  it('is told with its state, its reason, and since when it is so', () => {
    let nowMs = 100;
    const dependencies = new Dependencies(() => nowMs);
    dependencies.report('siem', 'sink', true);
    nowMs = 200;
    dependencies.report('siem', 'sink', true);
    expect(dependencies.list()).toEqual([{ name: 'siem', kind: 'sink', up: true, sinceMs: 100 }]);
    dependencies.report('siem', 'sink', false, 'connection refused');
    nowMs = 300;
    dependencies.report('siem', 'sink', false, 'no answer');
    expect(dependencies.list()).toEqual([{ name: 'siem', kind: 'sink', up: false, sinceMs: 200, reason: 'no answer' }]);
    dependencies.report('siem', 'sink', true, 'a reason of old');
    expect(dependencies.list()).toEqual([{ name: 'siem', kind: 'sink', up: true, sinceMs: 300 }]);
  });

  it('is asked whenever somebody looks, and is not there while nobody can say', () => {
    let state: DependencyState | undefined;
    const dependencies = new Dependencies(() => 1);
    dependencies.watch('https://issuer', 'issuer', () => state);
    expect(dependencies.list()).toEqual([]);
    state = { up: false, reason: 'status 500' };
    expect(dependencies.list()).toMatchObject([{ up: false, reason: 'status 500' }]);
    state = { up: true };
    expect(dependencies.list()).toMatchObject([{ up: true }]);
  });

  it('does not grow without end', () => {
    const dependencies = new Dependencies(() => 1);
    for (let index = 0; index < 1_000; index += 1) dependencies.report(`one ${index}`, 'sink', true);
    expect(dependencies.list()).toHaveLength(500);
  });
});
