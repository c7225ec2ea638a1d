/** Whose question it is, where nothing in the message says so: a question never reaches somebody else. */

import { describe, expect, it } from 'vitest';

import type { ServerQuestion } from '../asking-call.ts';
import { manualClock, settle } from '../testing/test-kit.ts';
import { Turns, type TurnTaker } from './turns.ts';

const question = (id: number): ServerQuestion => ({ id, method: 'elicitation/create', params: {} });

type Caller = TurnTaker & { readonly asked: number[]; readonly withdrawals: unknown[] };

function caller(principal: string): Caller {
  const asked: number[] = [];
  const withdrawals: unknown[] = [];
  return {
    principal,
    asked,
    withdrawals,
    ask: ({ id }) => asked.push(Number(id)) > 0,
    withdrawn: (id) => void withdrawals.push(id),
  };
}

function setup({ isShared = true, asks = false } = {}) {
  const clock = manualClock();
  const refused: number[] = [];
  const refuse = ({ id }: ServerQuestion): void => void refused.push(Number(id));
  const turns = new Turns({ clock, isShared, habit: { asks }, refuse });
  return { clock, refused, turns };
}

const STAYS = new AbortController().signal;

describe('in a process that has never asked', () => {
  it('all calls are at work at once', () => {
    const { turns } = setup();
    expect([caller('a'), caller('b'), caller('c')].map((one) => turns.enter(one, STAYS))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('a question is that of the only call', () => {
    const { turns, refused } = setup();
    const alice = caller('alice');
    void turns.enter(alice, STAYS);
    turns.asked(question(1));
    expect([alice.asked, refused]).toEqual([[1], []]);
  });

  it('the first question waits until one call is left, whose it must be', () => {
    const { turns } = setup();
    const [alice, bob, carol] = [caller('alice'), caller('bob'), caller('carol')];
    for (const one of [alice, bob, carol]) void turns.enter(one, STAYS);
    turns.asked(question(1));
    turns.leave(alice, true);
    expect(bob.asked).toEqual([]);
    turns.leave(carol, true);
    expect([alice.asked, bob.asked, carol.asked]).toEqual([[], [1], []]);
  });

  it('it is refused when it does not become clear in time, or when one of the calls is cancelled', async () => {
    const { turns, refused, clock } = setup();
    const [alice, bob] = [caller('alice'), caller('bob')];
    for (const one of [alice, bob]) void turns.enter(one, STAYS);
    turns.asked(question(1));
    await clock.advance(5000);
    expect(refused).toEqual([1]);
    turns.asked(question(2));
    turns.leave(alice, false);
    expect([refused, bob.asked]).toEqual([[1, 2], []]);
  });
});

describe('in a process of a server that asks', () => {
  it('one call at a time is at work, in the order in which they came', async () => {
    const { turns } = setup({ asks: true });
    const [alice, bob, carol] = [caller('alice'), caller('bob'), caller('carol')];
    expect(turns.enter(alice, STAYS)).toBeUndefined();
    const order: string[] = [];
    void turns.enter(bob, STAYS)?.then(() => order.push('bob'));
    void turns.enter(carol, STAYS)?.then(() => order.push('carol'));
    await settle();
    expect(order).toEqual([]);
    turns.leave(alice, true);
    await settle();
    turns.asked(question(1));
    expect([order, bob.asked]).toEqual([['bob'], [1]]);
    turns.leave(bob, true);
    await settle();
    expect(order).toEqual(['bob', 'carol']);
  });

  it('a call that waits for a person is not at work: the next question is the next call’s', async () => {
    const { turns, refused } = setup({ asks: true });
    const [alice, bob] = [caller('alice'), caller('bob')];
    void turns.enter(alice, STAYS);
    turns.asked(question(1));
    turns.park(alice);
    expect(turns.enter(bob, STAYS)).toBeUndefined();
    turns.asked(question(2));
    turns.park(bob);
    const goesOn = turns.goOn(alice, STAYS);
    await goesOn;
    turns.asked(question(3));
    expect([alice.asked, bob.asked, refused]).toEqual([[1, 3], [2], []]);
  });

  it('what is asked while several wait for a person is refused, and answered when one does', () => {
    const { turns, refused } = setup({ asks: true });
    const [alice, bob] = [caller('alice'), caller('bob')];
    for (const one of [alice, bob]) {
      void turns.enter(one, STAYS);
      turns.park(one);
    }
    turns.asked(question(1));
    turns.leave(bob, true);
    turns.asked(question(2));
    expect([alice.asked, bob.asked, refused]).toEqual([[2], [], [1]]);
  });

  it('nobody is asked what a cancelled call of somebody else could have asked, and the process is not given on', () => {
    const { turns, refused } = setup({ asks: true });
    const [alice, bob] = [caller('alice'), caller('bob')];
    void turns.enter(alice, STAYS);
    turns.leave(alice, false);
    expect(turns.isDoubtful).toBe(true);
    void turns.enter(bob, STAYS);
    turns.asked(question(1));
    expect([bob.asked, refused]).toEqual([[], [1]]);
  });

  it('where all calls are one person’s, a cancelled one is no reason for doubt', () => {
    const { turns } = setup({ asks: true, isShared: false });
    const [first, second] = [caller('alice'), caller('alice')];
    void turns.enter(first, STAYS);
    turns.leave(first, false);
    expect(turns.isDoubtful).toBe(false);
    void turns.enter(second, STAYS);
    turns.asked(question(1));
    expect(second.asked).toEqual([1]);
  });

  it('a call waits for its turn as long as its caller does, and at most for a while', async () => {
    const { turns, clock } = setup({ asks: true });
    const gone = new AbortController();
    void turns.enter(caller('alice'), STAYS);
    const left = turns.enter(caller('bob'), gone.signal);
    const late = turns.enter(caller('carol'), STAYS);
    gone.abort();
    expect(await left).toBeUndefined();
    await clock.advance(30_000);
    expect(await late).toMatchObject({ code: 'overloaded', sent: 'no' });
  });

  it('more than a few hundred do not wait', async () => {
    const { turns } = setup({ asks: true });
    void turns.enter(caller('alice'), STAYS);
    for (let count = 0; count < 256; count += 1) void turns.enter(caller('bob'), STAYS);
    expect(await turns.enter(caller('carol'), STAYS)).toMatchObject({ code: 'overloaded' });
  });

  it('a call that ended while it waited for its turn takes none', async () => {
    const { turns } = setup({ asks: true });
    const [alice, bob, carol] = [caller('alice'), caller('bob'), caller('carol')];
    void turns.enter(alice, STAYS);
    turns.park(alice);
    void turns.enter(bob, STAYS);
    const goesOn = turns.goOn(alice, STAYS);
    turns.leave(alice, true);
    await goesOn;
    turns.leave(bob, true);
    expect(turns.enter(carol, STAYS)).toBeUndefined();
  });

  it('a question that was withdrawn is told to whoever was asked', () => {
    const { turns } = setup({ asks: true });
    const alice = caller('alice');
    void turns.enter(alice, STAYS);
    turns.asked(question(1));
    turns.park(alice);
    turns.withdrawn(1);
    expect(alice.withdrawals).toEqual([1]);
  });
});
