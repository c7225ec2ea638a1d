import { describe, expect, it } from 'vitest';

import type { JsonObject } from '../model/json.ts';
import type { Revision } from '../model/revision.ts';
import { legacyHandshake } from '../protocol/codecs.ts';
import { capabilityProfile, NO_PROFILE } from './capability-profile.ts';

const profileOf = (capabilities: JsonObject, revision: Revision = '2025-11-25') =>
  capabilityProfile({ era: revision === '2026-07-28' ? 'modern' : 'legacy', revision, capabilities, address: '' });

const declared = (capabilities: JsonObject): unknown => {
  const { params }: { params: JsonObject } = JSON.parse(legacyHandshake.initialize(1, capabilities));
  return params.capabilities;
};

describe('what a legacy server is told that it may ask', () => {
  it.each<[string, JsonObject, Revision, JsonObject]>([
    ['nothing, of a client that declares nothing that can be asked', { experimental: {} }, '2025-11-25', {}],
    ['forms, in the words of every revision', { elicitation: {} }, '2025-06-18', { elicitation: {} }],
    ['forms and links', { elicitation: { form: {}, url: {} } }, '2026-07-28', { elicitation: { form: {}, url: {} } }],
    [
      'no links of a client that cannot know them',
      { elicitation: { form: {}, url: {} } },
      '2025-06-18',
      { elicitation: {} },
    ],
    ['roots, without the promise to tell of changes', { roots: { listChanged: true } }, '2025-11-25', { roots: {} }],
    [
      'sampling, in known words',
      { sampling: { tools: { x: 1 }, mine: {} } },
      '2025-11-25',
      { sampling: { tools: {} } },
    ],
  ])('%s', (_, capabilities, revision, told) => {
    expect(declared(profileOf(capabilities, revision).capabilities)).toEqual(told);
  });

  it('is the same for clients that can answer the same, whatever else they declare and in which order', () => {
    const one = profileOf({ roots: {}, elicitation: {}, experimental: { a: {} } });
    const other = profileOf(
      { elicitation: { form: { applyDefaults: true } }, roots: { listChanged: true } },
      '2026-07-28',
    );
    expect(one.key).toBe(other.key);
    expect(profileOf({ experimental: {} })).toBe(NO_PROFILE);
  });
});
