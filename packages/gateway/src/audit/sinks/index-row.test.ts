import { describe, expect, it } from 'vitest';

import type { GatewayEvent } from '../../model/event.ts';
import { createChain } from '../chain.ts';
import { eventRecord } from '../event-record.ts';
import { lifecycleRecord } from '../lifecycle-record.ts';
import { intentRecord, outcomeRecord, type Position } from '../record.ts';
import { alice, authorized, outcome, tool } from '../testing.ts';
import { lineFacts } from './followed-record.ts';
import { indexRow } from './index-row.ts';
import { CONTEXT } from './record-files.fixture.ts';

const TIME_MS = 1_790_000_000_000;
const source = { address: '192.0.2.1', requestId: 'r-1', endpoint: { kind: 'server', server: 'files' } } as const;

const line = (build: (at: Position) => readonly string[]): string =>
  createChain({ chainUid: 'c1', authority: 'host-1' }).append(build).line.toString('latin1').trimEnd();
const event = (told: GatewayEvent): string => line((at) => eventRecord({ event: told, timeMs: TIME_MS }, at, CONTEXT));

const LINES: readonly (readonly [string, string])[] = [
  ['calls', line((at) => outcomeRecord(outcome('r', { entry: tool('write', false) }), at, CONTEXT))],
  ['calls', line((at) => intentRecord(authorized('r', false), at, CONTEXT))],
  ['reads', line((at) => outcomeRecord(outcome('r', { entry: tool('read', true) }), at, CONTEXT))],
  ['writer', line((at) => lifecycleRecord({ event: 'opened', timeMs: TIME_MS, facts: {} }, at, CONTEXT))],
  [
    'authentication',
    event({ kind: 'authentication', activity: 'verify', credential: 'api-key', principal: alice, ...source }),
  ],
  [
    'sessions',
    event({ kind: 'session', of: 'mcp', change: 'opened', session: 's', principal: alice, expiresAtMs: 1, ...source }),
  ],
  [
    'administration',
    event({
      kind: 'change',
      operation: 'policies/swap',
      activity: 'update',
      entity: { type: 'policy', name: 'x', before: 'p1', after: 'p2' },
      by: 'watched file',
      facts: {},
    }),
  ],
  [
    'administration',
    line(() => ['{"class_uid":1,"time":5,"metadata":{"a":1,"uid":"c1-1","sequence":1},"unmapped":{"event":"new"}']),
  ],
];

describe('a line of the record, as an index knows it', () => {
  it.each(LINES)('is of the class %s', (name, text) => {
    expect(indexRow(text)).toMatchObject({ class: name, uid: 'c1-1', chain: 'c1', authority: 'host-1', line: text });
  });

  it.each(LINES)('of the class %s tells its place without being parsed', (_, text) => {
    const { metadata, time } = JSON.parse(text) as { metadata: { sequence: number; uid: string }; time: number };
    expect(lineFacts(text)).toEqual({ sequence: metadata.sequence, uid: metadata.uid, timeMs: time });
  });

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{}',
    '{"metadata":{"sequence":"1","uid":"x"},"time":1}',
    '{"metadata":{"sequence":1},"time":1}',
  ])('is none when it is %j', (text) => {
    expect(indexRow(text)).toBeUndefined();
    expect(lineFacts(text)).toBeUndefined();
  });

  it('is cut in its columns to what the index of a database takes, and whole beside them', () => {
    const name = '\u0000\ud800é'.repeat(1000);
    const row = indexRow(line((at) => outcomeRecord(outcome('r', { principal: { ...alice, name } }), at, CONTEXT)));
    expect(row?.who.length).toBe(256);
    expect(row?.who).toMatch(/^[\ufffdé]+$/u);
  });
});
