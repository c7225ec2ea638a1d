import { assert, array, constantFrom, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { manualClock } from '../testing/test-kit.ts';
import { CircuitBreaker, type BreakerOptions, type BreakerState, type Served } from './circuit-breaker.ts';

const OPTIONS: BreakerOptions = { window: 4, failures: 2, openMs: 1000, maxOpenMs: 4000 };

function setup(options = OPTIONS) {
  const clock = manualClock();
  const changes: BreakerState[] = [];
  const circuit = new CircuitBreaker(clock, options, (state) => changes.push(state));
  /** One call; false when it may not go. */
  const call = (served: Served): boolean => {
    const entered = circuit.enter();
    entered?.leave(served);
    return entered !== undefined;
  };
  return { clock, circuit, changes, call };
}

describe('a circuit breaker', () => {
  it('stays closed as long as fewer of the latest calls fail than it takes', () => {
    const { circuit, call } = setup();
    for (const served of ['no', 'yes', 'yes', 'yes', 'no', 'yes', 'yes', 'yes'] as const) call(served);
    expect(circuit.state).toBe('closed');
  });

  it('opens when enough of the latest calls were not served, in a row or not', () => {
    const { circuit, call, changes } = setup();
    for (const served of ['no', 'yes', 'no'] as const) call(served);
    expect(circuit.state).toBe('open');
    expect(call('yes')).toBe(false);
    expect(changes).toEqual(['open']);
  });

  it('lets one call through after the pause, and refuses the others while that one is out', async () => {
    const { clock, circuit, call } = setup();
    call('no');
    call('no');
    await clock.advance(999);
    expect(call('yes')).toBe(false);
    await clock.advance(1);
    const probe = circuit.enter();
    expect(probe).toBeDefined();
    expect(circuit.state).toBe('half-open');
    expect(call('yes')).toBe(false);
    probe?.leave('yes');
    expect(circuit.state).toBe('closed');
    expect(call('yes')).toBe(true);
  });

  it('doubles the pause with each probe that fails, up to its maximum', async () => {
    const { clock, circuit, call } = setup();
    call('no');
    call('no');
    const pauses: number[] = [];
    for (let probe = 0; probe < 4; probe++) {
      pauses.push(circuit.pauseLeftMs);
      await clock.advance(circuit.pauseLeftMs);
      expect(call('no')).toBe(true);
    }
    expect(pauses).toEqual([1000, 2000, 4000, 4000]);
  });

  it('begins with the first pause again after it was closed', async () => {
    const { clock, circuit, call } = setup();
    call('no');
    call('no');
    await clock.advance(1000);
    call('yes');
    call('no');
    call('no');
    expect(circuit.pauseLeftMs).toBe(1000);
  });

  it('learns nothing from a probe whose caller left, and lets the next caller try', async () => {
    const { clock, circuit, call } = setup();
    call('no');
    call('no');
    await clock.advance(1000);
    expect(call('neither')).toBe(true);
    expect(circuit.state).toBe('half-open');
    expect(call('yes')).toBe(true);
    expect(circuit.state).toBe('closed');
  });

  it('is not opened by calls that say nothing about the server', () => {
    const { circuit, call } = setup();
    for (let count = 0; count < 20; count++) call('neither');
    expect(circuit.state).toBe('closed');
  });

  it('counts no call twice that began before it opened', () => {
    const { circuit, call } = setup();
    const late = circuit.enter();
    call('no');
    call('no');
    late?.leave('no');
    expect(circuit.pauseLeftMs).toBe(1000);
  });

  it.each([
    { ...OPTIONS, failures: 5 },
    { ...OPTIONS, failures: 0 },
    { ...OPTIONS, openMs: 0 },
    { ...OPTIONS, maxOpenMs: 1 },
  ])('refuses options with which it could never open or never close: %o', (options) => {
    expect(() => setup(options)).toThrow(RangeError);
  });

  it('never has two probes out, and always comes back once the server does', () => {
    assert(
      property(array(constantFrom<Served>('yes', 'no', 'neither'), { maxLength: 40 }), (history) => {
        let nowMs = 0;
        const clock = { nowMs: () => nowMs, after: () => () => undefined };
        const circuit = new CircuitBreaker(clock, OPTIONS, () => undefined);
        for (const served of history) {
          const entered = circuit.enter();
          if (circuit.state === 'half-open') expect(circuit.enter()).toBeUndefined();
          entered?.leave(served);
          nowMs += 700;
        }
        nowMs += OPTIONS.maxOpenMs;
        circuit.enter()?.leave('yes');
        expect(circuit.state).toBe('closed');
      }),
    );
  });
});
