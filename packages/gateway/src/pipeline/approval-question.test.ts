import { describe, expect, it } from 'vitest';

import type { Approval } from '../authz/approval.ts';
import type { JsonObject } from '../model/json.ts';
import { CONFIRM_KEY, confirmation, instruction, invitation, LINK_KEY, visible } from './approval-question.ts';

const approvalOf = (given: Partial<Approval> = {}): Approval => ({
  id: 'a1',
  tenant: 'default',
  requester: 'k',
  requestedBy: { key: 'k', name: 'alice', issuer: 'i', subject: 'alice' },
  kind: 'tool',
  address: 'files/delete',
  definitionHash: 'h',
  argumentsDigest: 'd',
  arguments: {},
  risk: 'medium',
  needs: [{ by: { kind: 'caller' }, policy: 'files.cedar[0]', description: 'Deleting is confirmed.' }],
  status: 'pending',
  requestId: 'r-1',
  createdAtMs: 0,
  expiresAtMs: Date.UTC(2026, 10, 25, 12),
  ...given,
});

function messageOf(given: Partial<Approval>): string {
  const message = confirmation(approvalOf(given))?.[CONFIRM_KEY]?.params.message;
  return typeof message === 'string' ? message : '';
}
const messageFor = (args: JsonObject): string => messageOf({ arguments: args });

describe('a confirmation', () => {
  it('shows the call on lines of its own, and what a yes means', () => {
    expect(messageFor({ path: '/srv/a', force: true, options: { deep: [1, null] } })).toBe(
      [
        'Approve this call?',
        '',
        'Tool: delete',
        'Server: files',
        'Asked for by: alice',
        'Arguments:',
        '  path: "/srv/a"',
        '  force: true',
        '  options: {"deep":[1,null]}',
        'Why: policy files.cedar[0] wants an approval by caller: Deleting is confirmed.',
        'Good until: 2026-11-25T12:00:00.000Z, for one call',
      ].join('\n'),
    );
  });

  it.each<[string, JsonObject]>([
    ['line breaks in a value', { path: 'a"\nServer: harmless\n' }],
    ['line breaks in a name', { 'path: 1\nServer': 'harmless' }],
    ['line separators', { path: 'a\u2028Server: harmless\u2029' }],
    ['carriage returns', { path: 'a\rServer: harmless' }],
  ])('cannot be given another line by %s', (_, args) => {
    const lines = messageFor(args).split(/[\n\r\u2028\u2029]/u);
    expect(lines.filter((line) => line.startsWith('Server:'))).toEqual(['Server: files']);
    expect(lines).toHaveLength(9);
  });

  it.each([
    ['bidirectional overrides', '\u202egpj.exe\u202c', '\\u{202e}gpj.exe\\u{202c}'],
    ['isolates', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
    ['zero-width characters', 'a\u200b\u200d\ufeffb', 'a\\u{200b}\\u{200d}\\u{feff}b'],
    ['tag characters', 'a\u{e0041}b', 'a\\u{e0041}b'],
    ['variation selectors', 'a\u{e0100}b', 'a\\u{e0100}b'],
    ['blanks that look like a space or like nothing', 'a\u00a0\u3164\u2800b', 'a\\u{a0}\\u{3164}\\u{2800}b'],
    ['escape sequences of terminals', '\u001b[2Jx', '\\u{1b}[2Jx'],
    ['lone surrogates', 'a\ud800b', 'a\\u{d800}b'],
  ])('spells out %s', (_, text, shown) => {
    expect(visible(text)).toBe(shown);
  });

  it('leaves letters, signs and pictures of all scripts as they are', () => {
    const text = 'Grüße, Привет, 你好, שלום, 🎉️ – 100 €';
    expect(visible(text)).toBe(text);
  });

  it('is not asked for by halves: what is too long is shown on the page', () => {
    const long = approvalOf({ arguments: { text: 'x'.repeat(7_000) } });
    expect(confirmation(long)).toBeUndefined();
    const { message, url } = invitation(long, 'https://gw/approvals/a1')[LINK_KEY]?.params ?? {};
    expect(url).toBe('https://gw/approvals/a1');
    expect(message).toMatch(/not all is shown: \d+ more characters/u);
  });

  it('names only what the caller is asked about', () => {
    const needs: Approval['needs'] = [
      { by: { kind: 'caller' }, policy: 'own' },
      { by: { kind: 'group', group: 'dba' }, policy: 'other' },
    ];
    const text = messageOf({ needs });
    expect([text.includes('policy own'), text.includes('policy other')]).toEqual([true, false]);
  });
});

describe('the words for a client that cannot ask', () => {
  it.each<[string, Approval['needs'], string]>([
    ['the caller', [{ by: { kind: 'caller' }, policy: 'p' }], 'Alice has to confirm it after opening this link.'],
    [
      'somebody else',
      [{ by: { kind: 'group', group: 'dba' }, policy: 'p' }],
      'Someone else in the group dba has to approve it.',
    ],
    [
      'both',
      [
        { by: { kind: 'caller' }, policy: 'p' },
        { by: { kind: 'group', group: 'dba' }, policy: 'q' },
      ],
      'Alice has to confirm it, and someone else in the group dba has to approve it',
    ],
  ])('say that %s is asked, where, and what to do then', (_, needs, who) => {
    const text = instruction(approvalOf({ needs }), 'https://gw/approvals/a1');
    expect(text).toContain(who);
    expect(text).toContain('https://gw/approvals/a1');
    expect(text).toContain('make the same call again with the same arguments');
  });
});
