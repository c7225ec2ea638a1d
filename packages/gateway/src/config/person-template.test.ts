import { describe, expect, it } from 'vitest';

import { templateProblem } from './person-template.ts';
import { serverSchema } from './server-schema.ts';

describe('a reference with a person’s name in it', () => {
  it.each([
    'file:/secrets/{user}/token',
    'Bearer file:./people/{user}',
    'file:/secrets/{tenant}/{user}',
    'vault:secret/data/people/{subject}#token',
    'vault:secret/data/{tenant}#{user}',
    'exec:pass/crm/{user}',
    'exec:sops/{user}#token',
    'aws-sm:prod/{user}#token',
  ])('may be %s', (template) => {
    expect(templateProblem(template)).toBeUndefined();
  });

  it.each([
    ['a secret that is written out', 'Bearer {user}', /not a reference/],
    ['a store that is not known', 'valut:secret/{user}#x', /not a reference/],
    ['no place of its store', 'vault:secret/{user}', /Write vault:/],
    ['the environment', 'env:TOKEN_{user}', /environment/],
    ['nobody’s in particular', 'file:/secrets/token', /same for everyone/],
    ['a tenant’s', 'file:/secrets/{tenant}/token', /same for everyone/],
    ['a placeholder that is not known', 'file:/secrets/{user}/{group}', /not known/],
    ['a name that chooses the store', '{user}:/x/{user}', /not a reference/],
    ['a name that chooses the command', 'exec:{user}/a', /choose/],
    ['a name that chooses the command’s last letters', 'exec:a{user}/a', /choose/],
    ['a name that chooses the scheme', 'Bearer-{user} file:/x', /choose|not a reference/],
    ['a name with nothing before it', 'file:{user}', /choose/],
    ['names side by side', 'file:/secrets/{tenant}{user}', /told apart/],
    ['names with a hyphen between', 'file:/secrets/{tenant}-{user}', /told apart/],
  ])('is refused when it is %s', (_, template, said) => {
    expect(templateProblem(template)).toMatch(said);
  });
});

describe('a server with a secret for each person', () => {
  const people = { type: 'principal', headers: { Authorization: 'Bearer file:/people/{user}' } };
  const inEnvironment = { type: 'principal', env: { TOKEN: 'file:/people/{user}' } };

  it.each([
    { url: 'https://crm.example/mcp', auth: people },
    { url: 'https://crm.example/mcp', auth: people, headers: { 'X-Region': 'eu' } },
    { command: 'crm', auth: inEnvironment },
    {
      url: 'https://crm.example/mcp',
      auth: { type: 'principal', issuer: 'https://id.example', headers: { 'X-Key': 'file:/people/{subject}' } },
    },
  ])('may be $#', (server) => {
    expect(serverSchema.safeParse(server).error).toBeUndefined();
  });

  it.each([
    ['without any', { url: 'https://crm.example/mcp', auth: { type: 'principal' } }, /needs headers/],
    ['with variables for a url', { url: 'https://crm.example/mcp', auth: inEnvironment }, /has to be headers here/],
    ['with headers for a command', { command: 'crm', auth: people }, /has to be env here/],
    [
      'with the same header for everyone beside it',
      { url: 'https://crm.example/mcp', auth: people, headers: { authorization: 'Bearer env:TOKEN' } },
      /what auth sets/,
    ],
    [
      'with a subject of no issuer',
      { command: 'crm', auth: { type: 'principal', env: { TOKEN: 'file:/people/{subject}' } } },
      /needs the issuer/,
    ],
    [
      'with a secret for its lists that is written out',
      { url: 'https://crm.example/mcp', auth: { ...people, lists: { headers: { Authorization: 'Bearer abc' } } } },
      /stands in the file/,
    ],
  ])('is refused %s', (_, server, said) => {
    expect(serverSchema.safeParse(server).error?.message).toMatch(said);
  });
});
