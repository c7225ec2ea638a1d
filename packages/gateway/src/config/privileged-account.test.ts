import { describe, expect, it } from 'vitest';

import { administratorIn, administratorInArguments, administratorOf, broadScopes } from './privileged-account.ts';

describe('an administrator', () => {
  it.each([
    ['postgres://postgres@db.example/crm', 'postgres'],
    ['postgresql://root:p%40ss@db/crm?sslmode=require', 'root'],
    ['mongodb+srv://Admin:x@cluster.example', 'admin'],
    ['jdbc:sqlserver://db:1433;user=sa;password=x', 'sa'],
    ['Server=db;User ID=sa;Password=x', 'sa'],
    ['host=db user=postgres dbname=crm', 'postgres'],
    ['root:pass@tcp(127.0.0.1:3306)/crm', 'root'],
    ['postgres://reader@db/postgres', undefined],
    ['https://example.com/admin', undefined],
    ['postgres://rooted@db/x', undefined],
    ['see root@example.com', undefined],
  ])('of %s is %s', (text, expected) => {
    expect(administratorIn(text)).toBe(expected);
  });

  it.each([
    ['PGUSER', 'postgres', 'postgres'],
    ['DB_USER', 'root', 'root'],
    ['DATABASE_URL', 'mysql://root@db', 'root'],
    ['LOG_LEVEL', 'root', undefined],
  ])('of the variable %s=%s is %s', (name, value, expected) => {
    expect(administratorOf(name, value)).toBe(expected);
  });

  it.each([
    [['-h', 'db', '-u', 'root'], 'root'],
    [['--username=postgres'], 'postgres'],
    [['--db-user', 'sa'], 'sa'],
    [['postgres://postgres@db/x'], 'postgres'],
    [['--dsn=postgres://postgres@db/x'], 'postgres'],
    [['--root', '/data', 'admin'], undefined],
  ])('of the arguments %j is %s', (args, expected) => {
    expect(administratorInArguments(args)).toBe(expected);
  });
});

describe('scopes that reach too far', () => {
  const token = (claims: unknown): string =>
    `Bearer e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`;
  it.each([
    [{ scope: 'crm:read admin crm:*' }, ['admin', 'crm:*']],
    [{ scp: ['repo.full_access', 'crm.read'] }, ['repo.full_access']],
    [{ roles: ['reader'] }, []],
    [{ scope: 'administration-hours:read all-hands:read' }, []],
    [{ scope: 7 }, []],
  ])('of a token with %j are %j', (claims, expected) => {
    expect(broadScopes(token(claims))).toEqual(expected);
  });

  it('are none of what is no token', () => {
    for (const text of ['sk-live-4f9c', 'a.b.c', 'e30.e30', '']) expect(broadScopes(text)).toEqual([]);
  });
});
