import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { aggregateName, MAX_AGGREGATE_NAME, resolveCollisions } from './names.ts';

const serverId = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,40}$/);
const anyName = fc.oneof(
  fc.string({ minLength: 1, maxLength: 90 }),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }),
);

describe('aggregateName', () => {
  it.each([
    ['files', 'read_file', 'files_read_file'],
    ['files', 'a'.repeat(58), `files_${'a'.repeat(58)}`],
  ])('leaves a legal name as it is: %s, %s', (server, name, expected) => {
    expect(aggregateName(server, name)).toBe(expected);
  });

  it.each([
    ['dots', 'read.file', /^files_read-file_[0-9a-f]{8}$/],
    ['other letters', 'größe', /^files_gr--e_[0-9a-f]{8}$/],
    ['length', 'a'.repeat(59), /^files_a{49}_[0-9a-f]{8}$/],
    ['emoji', '🔧', /^files_-_[0-9a-f]{8}$/],
  ])('cleans, cuts and marks a name for its %s', (_, name, expected) => {
    expect(aggregateName('files', name)).toMatch(expected);
  });

  it('is always legal', () => {
    fc.assert(
      fc.property(serverId, anyName, (server, name) => {
        expect(aggregateName(server, name)).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        expect(aggregateName(server, name).length).toBeLessThanOrEqual(MAX_AGGREGATE_NAME);
      }),
    );
  });

  it('differs where server or name differ, unless a name was made to look like another', () => {
    fc.assert(
      fc.property(serverId, serverId, anyName, anyName, (serverA, serverB, nameA, nameB) => {
        fc.pre(serverA !== serverB || nameA !== nameB);
        expect(aggregateName(serverA, nameA)).not.toBe(aggregateName(serverB, nameB));
      }),
    );
  });
});

describe('resolveCollisions', () => {
  const named = (server: string, name: string, full = aggregateName(server, name)) => ({
    server,
    name,
    aggregateName: full,
  });

  it('keeps the earlier server, and shows the other', () => {
    const first = named('a', 'x', 'same');
    const second = named('b', 'y', 'same');
    const { kept, collisions } = resolveCollisions([[first], [second]]);
    expect(kept.get('same')).toBe(first);
    expect(collisions).toEqual([{ refused: second, keeper: first }]);
  });

  it('keeps, within a server, the one that bears the name unchanged', () => {
    const odd = named('files', 'read.file');
    const mimic = named('files', odd.aggregateName.slice('files_'.length));
    expect(mimic.aggregateName).toBe(odd.aggregateName);
    for (const group of [
      [odd, mimic],
      [mimic, odd],
    ]) {
      const { kept, collisions } = resolveCollisions([group]);
      expect(kept.get(odd.aggregateName)).toBe(mimic);
      expect(collisions).toEqual([{ refused: odd, keeper: mimic }]);
    }
  });

  it('gives the same names whatever the order in which servers list', () => {
    const names = fc.uniqueArray(fc.constantFrom('a', 'b.c', 'b-c', 'd e', 'x'.repeat(70)), { minLength: 1 });
    const groupOf = fc.tuple(serverId, names);
    const groups = fc.uniqueArray(groupOf, { maxLength: 4, selector: ([id]) => id });
    fc.assert(
      fc.property(groups, fc.infiniteStream(fc.nat()), (servers, random) => {
        const straight = servers.map(([server, list]) => list.map((name) => named(server, name)));
        const shuffled = straight.map((group) =>
          group
            .map((entry) => ({ entry, rank: random.next().value ?? 0 }))
            .sort((left, right) => left.rank - right.rank)
            .map(({ entry }) => entry),
        );
        const nameOf = (all: typeof straight) =>
          [...resolveCollisions(all).kept].map(([full, { server, name }]) => `${full}=${server}/${name}`).sort();
        expect(nameOf(shuffled)).toEqual(nameOf(straight));
      }),
    );
  });
});
