/** Lists show what the caller may use, in pages whose cursors belong to one list as one set of policies showed it. */

import { assert, asyncProperty, integer, subarray } from 'fast-check';
import { describe, expect, it } from 'vitest';

import { authorizerFor } from '../authz/authorizer-fixture.ts';
import { catalogOf, item, registered, toolItem } from '../catalog/catalog-fixture.ts';
import { LIST_KINDS, type Cursor, type ListKind, type Operation } from '../model/operation.ts';
import type { Handled } from './pipeline.ts';
import { AGGREGATE, as, constant, failureOf, FILES, worldOf, type World } from './pipeline.fixture.ts';

const NAMES = ['alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta', 'eta'];

const catalogWith = (names: readonly string[]) =>
  catalogOf(
    registered('files', {
      tools: names.map((name) => toolItem(name)),
      prompts: names.map((name) => item({ name })),
      resources: names.map((name) => item({ name, uri: `note://${name}` })),
      templates: names.map((name) => item({ name, uriTemplate: `note://${name}/{id}` })),
    }),
  );

const EVERYTHING = 'permit (principal, action, resource);';
const ONLY_STAFF = 'permit (principal in Group::"staff", action, resource);';
const onlyNames = (names: readonly string[]): string =>
  `permit (principal, action, resource) when { ${JSON.stringify(names)}.contains(resource.name) };`;

const list = (of: ListKind, cursor?: Cursor): Operation =>
  cursor === undefined ? { kind: 'list', of } : { kind: 'list', of, cursor };

function pageOf(handled: Handled) {
  if (handled.outcome.kind !== 'listed') throw new Error(`no page: ${JSON.stringify(handled.outcome)}`);
  return handled.outcome.page;
}

async function allPages(world: World, of: ListKind): Promise<readonly (readonly string[])[]> {
  const pages: (readonly string[])[] = [];
  let cursor: Cursor | undefined;
  do {
    const page = pageOf(await world.handle(list(of, cursor)));
    pages.push(page.entries.map(({ name }) => name));
    cursor = page.next;
  } while (cursor !== undefined);
  return pages;
}

describe('a list', () => {
  it('comes in pages that hold exactly what is visible, each once, in the order of the server', async () => {
    await assert(
      asyncProperty(subarray(NAMES), integer({ min: 1, max: 8 }), async (visible, pageSize) => {
        const world = worldOf({
          catalog: constant(catalogWith(NAMES)),
          // The server itself stays visible through a rule about it, so that an empty list is a list.
          authorizer: constant(
            authorizerFor(`${onlyNames(visible)} permit (principal, action, resource == Server::"files");`),
          ),
          pageSize,
        });
        const pages = await allPages(world, 'tools');
        expect(pages.flat()).toEqual(visible);
        expect(pages).toHaveLength(Math.max(1, Math.ceil(visible.length / pageSize)));
        expect(world.steps).not.toContain('send');
      }),
      { numRuns: 40 },
    );
  });

  it('is private and recorded, whatever the server said of its freshness', async () => {
    const world = worldOf({ catalog: constant(catalogWith(NAMES)) });
    expect(pageOf(await world.handle(list('tools'))).freshness.scope).toBe('private');
    expect(world.events).toMatchObject([{ outcome: 'ok', request: { operation: { kind: 'list' } } }]);
  });

  it.each(LIST_KINDS)(
    'of %s without anything visible says so in the log, with the command that explains it',
    async (of) => {
      const world = worldOf({ catalog: constant(catalogWith(NAMES)), authorizer: constant(authorizerFor(ONLY_STAFF)) });
      const handled = await world.handle(list(of), { endpoint: AGGREGATE, ...as('bob') });
      expect(pageOf(handled).entries).toEqual([]);
      expect(world.lines).toMatchObject([
        {
          level: 'warn',
          fields: { principal: 'bob', target: '/mcp' },
          message: `the ${of} list is empty for bob on /mcp: no policy allows any of its 7 ${of}. Why: npm run sallyport -- tools --as bob`,
        },
      ]);
    },
  );

  it('says nothing in the log when there is nothing to hide, or something is shown', async () => {
    const world = worldOf({ catalog: constant(catalogWith([])) });
    await world.handle(list('tools'), { endpoint: AGGREGATE });
    const other = worldOf({
      catalog: constant(catalogWith(NAMES)),
      authorizer: constant(authorizerFor(onlyNames(['eta']))),
    });
    await other.handle(list('tools'));
    expect([...world.lines, ...other.lines]).toEqual([]);
  });

  it('shows of several owners of one URI the first that is the caller’s, once', async () => {
    const note = { resources: [item({ name: 'n', uri: 'note://1' })] };
    const catalog = catalogOf(registered('one', note), registered('two', note), registered('three', note));
    const policy =
      'permit (principal, action, resource) when { resource in Server::"two" || resource in Server::"three" };';
    const world = worldOf({ catalog: constant(catalog), authorizer: constant(authorizerFor(policy)) });
    const { entries } = pageOf(await world.handle(list('resources'), { endpoint: AGGREGATE }));
    expect(entries.map(({ server }) => server.id)).toEqual(['two']);
  });
});

describe('a cursor', () => {
  const firstCursor = async (world: World, of: ListKind = 'tools'): Promise<Cursor> => {
    const { next } = pageOf(await world.handle(list(of)));
    if (next === undefined) throw new Error('no second page');
    return next;
  };

  it('of an older policy is refused, and a new list begins', async () => {
    let authorizer = authorizerFor(EVERYTHING);
    const world = worldOf({ catalog: constant(catalogWith(NAMES)), authorizer: () => authorizer, pageSize: 3 });
    const cursor = await firstCursor(world);
    authorizer = authorizerFor(onlyNames(['alpha']));
    expect(failureOf(await world.handle(list('tools', cursor)))).toMatchObject({ code: 'invalid-cursor' });
    expect((await allPages(world, 'tools')).flat()).toEqual(['alpha']);
  });

  it('of an older catalog is refused', async () => {
    let catalog = catalogWith(NAMES);
    const world = worldOf({ catalog: () => catalog, authorizer: constant(authorizerFor(EVERYTHING)), pageSize: 3 });
    const cursor = await firstCursor(world);
    catalog = catalogWith(['zero', ...NAMES]);
    expect(failureOf(await world.handle(list('tools', cursor)))).toMatchObject({ code: 'invalid-cursor' });
  });

  it('goes on after a swap that changed nothing', async () => {
    const world = worldOf({
      catalog: () => catalogWith(NAMES),
      authorizer: () => authorizerFor(EVERYTHING),
      pageSize: 3,
    });
    expect((await allPages(world, 'tools')).flat()).toEqual(NAMES);
  });

  it('of one list is refused by every other', async () => {
    const world = worldOf({
      catalog: constant(catalogWith(NAMES)),
      authorizer: constant(authorizerFor(EVERYTHING)),
      pageSize: 3,
    });
    for (const made of LIST_KINDS) {
      const cursor = await firstCursor(world, made);
      for (const of of LIST_KINDS) {
        const code = failureOf(await world.handle(list(of, cursor), { endpoint: FILES }))?.code;
        expect(code, `${made} cursor, ${of} list`).toBe(made === of ? undefined : 'invalid-cursor');
      }
    }
  });

  it('beyond the end is refused', async () => {
    const world = worldOf({
      catalog: constant(catalogWith(NAMES)),
      authorizer: constant(authorizerFor(EVERYTHING)),
      pageSize: 3,
    });
    const { generation } = await firstCursor(world);
    expect(failureOf(await world.handle(list('tools', { offset: 8, generation })))?.code).toBe('invalid-cursor');
  });
});
