import { describe, expect, it } from 'vitest';

import { elicitationModes, isQuestion, readElicited } from './elicitation.ts';
import type { Json, JsonObject } from './json.ts';
import type { Outcome } from './outcome.ts';
import type { Revision } from './revision.ts';

const modesOf = (capabilities: JsonObject, revision: Revision = '2026-07-28') =>
  elicitationModes({ era: revision === '2026-07-28' ? 'modern' : 'legacy', revision, capabilities, address: '' });

describe('what a client can be asked', () => {
  it.each<[string, JsonObject, Revision, { form: boolean; url: boolean }]>([
    ['nothing declared', {}, '2026-07-28', { form: false, url: false }],
    ['an empty object', { elicitation: {} }, '2026-07-28', { form: true, url: false }],
    ['forms', { elicitation: { form: {} } }, '2025-11-25', { form: true, url: false }],
    ['links', { elicitation: { url: {} } }, '2025-11-25', { form: false, url: true }],
    ['both', { elicitation: { form: {}, url: {} } }, '2026-07-28', { form: true, url: true }],
    ['both, where links are unknown', { elicitation: { form: {}, url: {} } }, '2025-06-18', { form: true, url: false }],
    ['links, where links are unknown', { elicitation: { url: {} } }, '2025-06-18', { form: false, url: false }],
    [
      'both, where there is no elicitation',
      { elicitation: { form: {}, url: {} } },
      '2025-03-26',
      { form: false, url: false },
    ],
    ['nonsense', { elicitation: true }, '2026-07-28', { form: false, url: false }],
  ])('%s', (_, capabilities, revision, modes) => {
    expect(modesOf(capabilities, revision)).toEqual(modes);
  });
});

describe('an answer', () => {
  it.each<[Json | undefined, unknown]>([
    [
      { action: 'accept', content: { a: 1 } },
      { action: 'accept', content: { a: 1 } },
    ],
    [{ action: 'accept' }, { action: 'accept', content: {} }],
    [
      { action: 'accept', content: 'yes' },
      { action: 'accept', content: {} },
    ],
    [{ action: 'decline', content: { confirm: true } }, { action: 'decline' }],
    [{ action: 'cancel' }, { action: 'cancel' }],
    [{ action: 'ACCEPT' }, undefined],
    [{}, undefined],
    ['accept', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('%j is read as %j', (answer, read) => {
    expect(readElicited(answer)).toEqual(read);
  });
});

describe('a question', () => {
  it.each<[string, Outcome, boolean]>([
    ['of ours', { kind: 'input-required', requests: {}, continuation: { kind: 'approval', approvalId: 'a' } }, true],
    [
      'of a server that nobody has tied to it',
      { kind: 'input-required', requests: { 'com.sallyport/approval': { method: 'elicitation/create', params: {} } } },
      false,
    ],
    [
      'of a server, tied to it',
      { kind: 'input-required', requests: {}, continuation: { kind: 'upstream', server: 's', version: '1' } },
      true,
    ],
  ])('%s is asked only when it is known what its answer belongs to', (_, outcome, askable) => {
    expect(isQuestion(outcome)).toBe(askable);
  });
});
