import { beforeAll, describe, expect, it } from 'vitest';

import { parsePlace, type ArgumentKind } from '../../model/argument-kind.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ToolEntry } from '../../model/target.ts';
import { authorizerFor, callOf, CLIENT, principal, tool } from '../authorizer-fixture.ts';
import type { CedarAuthorizer } from '../cedar-authorizer.ts';
import { loadSqlParser } from './sql-parsers.ts';

const ALICE = principal('alice');

function declaring(address: string, places: Readonly<Record<string, ArgumentKind>>): ToolEntry {
  const declared = Object.entries(places).map(([place, kind]) => {
    const steps = parsePlace(place);
    if (!steps.ok) throw new Error(steps.error);
    return { place, steps: steps.value, kind };
  });
  return { ...tool(address), declared };
}

/** As enforced; and the explanation must say the same. */
function allows(authorizer: CedarAuthorizer, entry: ToolEntry, args: JsonObject): boolean {
  const decision = authorizer.authorize(callOf(ALICE, entry, args));
  const explained = authorizer.explain({ principal: ALICE, client: CLIENT }, entry, args);
  expect(explained.allowed).toBe(decision.effect === 'allow');
  expect(explained.grounds).toEqual(decision.grounds);
  return decision.effect === 'allow';
}

beforeAll(() => loadSqlParser('postgres'));

describe('"only tables of schema public, read only"', () => {
  const entry = declaring('db/query', {
    sql: { kind: 'sql', dialect: 'postgres', defaultSchema: 'public', functions: [] },
  });
  const authorizer = authorizerFor(`
    permit (principal, action == Action::"callTool", resource == Tool::"db/query")
    when {
      context.arguments has sql &&
      context.arguments.sql.readOnly &&
      ["public"].containsAll(context.arguments.sql.schemas)
    };`);

  it.each([
    'select * from orders',
    'select o.id, count(*) from public.orders o join customers c on c.id = o.customer group by o.id',
    "select 'drop table secret.x' -- from secret.y",
    'with recent as (select * from orders where at > now()) select * from recent',
    'select 1; select 2',
  ])('allows %s', (sql) => expect(allows(authorizer, entry, { sql })).toBe(true));

  it.each([
    'select * from secret.keys',
    'select * from orders, secret.keys',
    'select * from pg_shadow',
    'select * from information_schema.columns',
    'delete from orders',
    'with gone as (delete from orders returning *) select * from gone',
    'select * from orders; drop table orders',
    'select * from orders for update',
    "select pg_read_file('/etc/passwd')",
    "select ('/etc/passwd'::text).pg_read_file",
    "select query_to_xml('select * from secret.keys', true, true, '')",
    'select * into copy from orders',
    'set search_path = secret; select * from keys',
    'explain analyze delete from orders',
    'do $$ begin delete from orders; end $$',
    "copy orders to program 'x'",
    'prepare p as select 1',
    'select * from orders where',
    '',
  ])('denies %s', (sql) => expect(allows(authorizer, entry, { sql })).toBe(false));

  it('denies a call without the text, and one that is no text', () => {
    expect(allows(authorizer, entry, {})).toBe(false);
    expect(allows(authorizer, entry, { sql: null })).toBe(false);
    expect(allows(authorizer, entry, { sql: ['select 1'] })).toBe(false);
  });
});

describe('"nobody drops, and the table of salaries is out of reach"', () => {
  const entry = declaring('db/query', {
    sql: { kind: 'sql', dialect: 'postgres', defaultSchema: 'public', functions: [] },
  });
  const authorizer = authorizerFor(`
    permit (principal, action, resource);
    forbid (principal, action == Action::"callTool", resource) when {
      context.arguments has sql && (
        context.arguments.sql.operations.contains("drop") ||
        context.arguments.sql.tables.containsAny(["public.salaries", "*"])
      )
    };`);

  it.each(['select * from orders', 'update orders set paid = true'])('allows %s', (sql) =>
    expect(allows(authorizer, entry, { sql })).toBe(true),
  );

  it.each(['drop table orders', 'select * from "salaries"', 'select (select max(x) from SALARIES)', 'execute p'])(
    'denies %s',
    (sql) => expect(allows(authorizer, entry, { sql })).toBe(false),
  );
});

describe('"the path stays below /srv/data"', () => {
  const entry = declaring('files/read', { path: { kind: 'path' }, 'more[]': { kind: 'path', base: '/srv/data' } });
  const authorizer = authorizerFor(`
    permit (principal, action, resource) when { context.arguments.path like "/srv/data/*" };`);

  it.each(['/srv/data/a', '/srv/data/deep/er/b.txt'])('allows %s', (path) =>
    expect(allows(authorizer, entry, { path })).toBe(true),
  );

  it.each([
    '/srv/data/../../etc/passwd',
    '/srv/data/link/../../etc',
    '/srv/data/%2e%2e/etc',
    '/srv/database/x',
    '/srv/data',
    'srv/data/x',
    '/srv/data//../x',
    '/srv/data/．．/x',
    '',
  ])('denies %s', (path) => expect(allows(authorizer, entry, { path })).toBe(false));

  it('denies what it does not read, too, when that cannot be judged', () => {
    expect(allows(authorizer, entry, { path: '/srv/data/a', more: ['b'] })).toBe(true);
    expect(allows(authorizer, entry, { path: '/srv/data/a', more: ['b', '../c'] })).toBe(false);
  });
});

describe('"only our own services over https, never into the network"', () => {
  const entry = declaring('web/fetch', { url: { kind: 'url', schemes: ['http', 'https'] } });
  const authorizer = authorizerFor(`
    permit (principal, action, resource) when {
      context.arguments.url.scheme == "https" &&
      context.arguments.url.port == 443 &&
      context.arguments.url.host like "*.example.com" &&
      !context.arguments.url.isIp && !context.arguments.url.isPrivate
    };`);

  it.each(['https://api.example.com/', 'https://a.b.example.com/x?y=//evil.example'])('allows %s', (url) =>
    expect(allows(authorizer, entry, { url })).toBe(true),
  );

  it.each([
    'http://api.example.com/',
    'https://api.example.com:444/',
    'https://api.example.com.evil.example/',
    'https://evil.example/.example.com',
    'https://evil.example\\.example.com/',
    'https://evil.example#.example.com',
    'https://user@api.example.com/',
    'https://169.254.169.254/',
    'https://2852039166/',
  ])('denies %s', (url) => expect(allows(authorizer, entry, { url })).toBe(false));
});

describe('"a refund above 100 needs approval"', () => {
  const entry = tool('pay/refund', {}, { type: 'object', properties: { amount: { type: 'number' } } });
  const authorizer = authorizerFor(`
    permit (principal, action == Action::"callTool", resource == Tool::"pay/refund")
    when { context.arguments.amount.lessThanOrEqual(decimal("100.0")) };
    @approval("caller")
    permit (principal, action == Action::"callTool", resource == Tool::"pay/refund")
    when { context.arguments.amount.greaterThan(decimal("100.0")) };`);

  it.each([
    [0.5, 0],
    [99.99, 0],
    [100.01, 1],
    [1_000_000.5, 1],
  ])('%d: %d approvals', (amount, approvals) => {
    const decision = authorizer.authorize(callOf(ALICE, entry, { amount }));
    expect(decision.effect === 'allow' && decision.permit.obligations).toHaveLength(approvals);
  });

  it.each([['100.01'], [null], [1e300], [100.000_01], [{ value: 5 }]])('%j is denied', (amount) =>
    expect(authorizer.authorize(callOf(ALICE, entry, { amount })).effect).toBe('deny'),
  );
});

describe('what cannot be judged', () => {
  const entry = declaring('files/read', { path: { kind: 'path' } });

  it('is denied on every call, though the verdict of policies that read no arguments is remembered', () => {
    const authorizer = authorizerFor('permit (principal, action, resource);');
    const decisions = ['/a', '/a/../b', '/a', '/a/../b'].map(
      (path) => authorizer.authorize(callOf(ALICE, entry, { path })).effect,
    );
    expect(decisions).toEqual(['allow', 'deny', 'allow', 'deny']);
  });

  it('is told to the record and to the caller, by its place and without its value', () => {
    const authorizer = authorizerFor('permit (principal, action, resource);');
    const decision = authorizer.authorize(callOf(ALICE, entry, { path: '/s3cr3t/../x' }));
    expect(decision).toMatchObject({
      effect: 'deny',
      told: 'The argument "path" (path) cannot be judged: it holds "..". Write the path that you mean, from its start.',
    });
    expect(decision.grounds.errors).toEqual([decision.effect === 'deny' ? decision.told : '']);
    expect(JSON.stringify(decision)).not.toContain('s3cr3t');
  });

  it('is no reason to hide the tool', () => {
    const authorizer = authorizerFor(
      'permit (principal, action, resource) when { context.arguments.path like "/a/*" };',
    );
    expect(authorizer.admit({ principal: ALICE, client: CLIENT }, entry).admitted).toBe(true);
  });

  it('leaves what is sent as it was: the permit has the arguments of the call', () => {
    const authorizer = authorizerFor('permit (principal, action, resource);');
    const based = declaring('files/read', { path: { kind: 'path', base: '/srv/data' } });
    const request = callOf(ALICE, based, { path: 'a' });
    const decision = authorizer.authorize(request);
    expect(decision.effect === 'allow' && decision.permit.operation).toBe(request.operation);
  });
});
