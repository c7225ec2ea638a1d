/** The table, Cedar's schema and the entities that are built say the same. */

import * as cedar from '@cedar-policy/cedar-wasm/nodejs';
import { describe, expect, it } from 'vitest';
import { principal, resource, serverEntry, tool } from './authorizer-fixture.ts';
import { cedarSchema } from './cedar-schema.ts';
import { entrySubject, principalSubject, type Subject } from './entities.ts';
import { CONTEXT_MODEL, ENTITY_MODEL, PRINCIPAL_MODEL, RESOURCE_MODEL, WORKLOAD_MODEL } from './entity-model.ts';

const workload = { id: 'spiffe://example.org/agent', trustDomain: 'example.org', credential: 'mtls' } as const;

const subjects: readonly [string, Subject][] = [
  ['a user', principalSubject(principal('alice', { groups: ['a'] }), { claims: true, workload: true })],
  [
    'a user of a client, behind a workload, in a tenant',
    principalSubject(principal('alice', { clientId: 'ide', tenant: 'acme', workload }), {
      claims: true,
      workload: true,
    }),
  ],
  ['a workload by key', principalSubject(principal('robot', { kind: 'workload' }), { claims: true, workload: true })],
  [
    'a workload by certificate',
    principalSubject(principal(workload.id, { kind: 'workload', credential: { kind: 'mtls' }, workload }), {
      claims: true,
      workload: true,
    }),
  ],
  ['a tool', entrySubject(tool('files/read', { tags: ['a'] }))],
  ['a resource', entrySubject(resource('files', 'file:///a'))],
  ['a server', entrySubject(serverEntry('files'))],
];

describe('the entities', () => {
  it.each(subjects)('of %s are what the schema says, no more and no less', (_, { entities }) => {
    // Claims have no schema: the one attribute that is left out of it.
    const typed = entities.map(({ uid, attrs: { claims: _claims, ...attrs }, parents }) => ({ uid, attrs, parents }));
    expect(cedar.checkParseEntities({ entities: typed, schema: cedarSchema([]) })).toEqual({ type: 'success' });
  });
});

describe('the table', () => {
  it('makes a schema that Cedar takes', () => {
    expect(cedar.checkParseSchema(cedarSchema(['undecided']))).toEqual({ type: 'success' });
  });

  it('describes every word in a sentence', () => {
    const models = [ENTITY_MODEL, PRINCIPAL_MODEL, WORKLOAD_MODEL, RESOURCE_MODEL, CONTEXT_MODEL];
    for (const { says } of models.flatMap((model) => Object.values(model))) expect(says).toMatch(/^[A-Z].*\.$/);
  });
});
