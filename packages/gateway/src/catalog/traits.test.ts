import { describe, expect, it } from 'vitest';

import { serverTraits, UNKNOWN_TRAITS, type Server } from '../model/target.ts';
import { traitsOf, type TraitRule } from './traits.ts';

const plain: Server = { id: 'files', version: '1', sharing: 'shared' };
const marked: Server = { ...plain, environment: 'production', classification: 'restricted', tags: ['pci'] };
const rules: readonly TraitRule[] = [
  { of: 'tools', pattern: '*', traits: { risk: 'high' } },
  { of: 'tools', pattern: 'read_*', traits: { readOnly: true } },
  { of: 'tools', pattern: 'read_file', traits: { risk: 'low', tags: ['pii'], classification: 'public' } },
  { of: 'prompts', pattern: 'read_*', traits: { idempotent: true } },
];

describe('traitsOf', () => {
  const tool = (name: string) => traitsOf(plain, { of: 'tools', name }, rules);

  it('takes from each matching rule what it names, the last one winning', () => {
    expect(tool('read_file')).toEqual({
      readOnly: true,
      risk: 'low',
      idempotent: false,
      tags: ['pii'],
      classification: 'public',
      scopes: [],
    });
    expect(tool('read_all')).toEqual({ ...UNKNOWN_TRAITS, readOnly: true, risk: 'high' });
    expect(traitsOf(plain, { of: 'tools', name: 'write' }, [])).toEqual(UNKNOWN_TRAITS);
  });

  it('keeps the rules of tools, prompts and resources apart', () => {
    expect(traitsOf(plain, { of: 'prompts', name: 'read_all' }, rules)).toEqual({
      ...UNKNOWN_TRAITS,
      idempotent: true,
    });
    expect(traitsOf(plain, { of: 'resources', name: 'read_all' }, rules)).toEqual(UNKNOWN_TRAITS);
  });

  it('begins with what is said of the server, and never takes a server’s tag away', () => {
    expect(traitsOf(marked, { of: 'tools', name: 'write' }, rules)).toEqual({
      ...UNKNOWN_TRAITS,
      risk: 'high',
      classification: 'restricted',
      tags: ['pci'],
    });
    expect(traitsOf(marked, { of: 'tools', name: 'read_file' }, rules)).toMatchObject({
      classification: 'public',
      tags: ['pci', 'pii'],
    });
    expect(serverTraits(marked)).toEqual({ ...UNKNOWN_TRAITS, classification: 'restricted', tags: ['pci'] });
  });
});
