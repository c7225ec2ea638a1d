import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { ChangeEvent, GatewayEvent } from '../model/event.ts';
import type { JsonObject } from '../model/json.ts';
import type { RecordedEvent } from './event-log.ts';
import { eventRecord } from './event-record.ts';
import { recordContext } from './record.ts';
import { alice } from './testing.ts';
import { toldRecord } from './told-record.ts';

const context = recordContext('1.2.3');
const at = { sequence: 7, uid: 'c0ffee-7' };
const TIME_MS = 1_790_000_000_000;

const textOf = (recorded: RecordedEvent): string => `${eventRecord(recorded, at, context).join('')}}`;
const parsed = (event: GatewayEvent, several?: RecordedEvent['several']): JsonObject =>
  JSON.parse(textOf({ event, timeMs: TIME_MS, ...(several && { several }) })) as JsonObject;
const told = (event: GatewayEvent) => toldRecord(textOf({ event, timeMs: TIME_MS }));

const source = { address: '192.0.2.1', requestId: 'r-1', endpoint: { kind: 'server', server: 'files' } } as const;

const FAILED: GatewayEvent = {
  kind: 'authentication',
  activity: 'verify',
  credential: 'jwt',
  claimed: { issuer: 'https://idp.example', keyId: 'one' },
  failure: { code: 'invalid-credential', reason: 'token: the signature is wrong' },
  ...source,
};

const SWAPPED: ChangeEvent = {
  kind: 'change',
  operation: 'policies/swap',
  activity: 'update',
  entity: { type: 'policy', name: '/etc/sallyport.yaml', before: 'p1', after: 'p2' },
  by: 'watched file',
  facts: { files: ['policy.cedar'] },
};

/** What every event class of the schema demands, and then the class's own. */
const REQUIRED = ['class_uid', 'category_uid', 'activity_id', 'type_uid', 'severity_id', 'time', 'metadata'];
const CLASSES: Readonly<Record<number, readonly string[]>> = {
  3002: ['user', 'service'],
  3004: ['entity'],
  6003: ['actor', 'api', 'src_endpoint'],
};

const EVENTS: readonly GatewayEvent[] = [
  FAILED,
  { kind: 'authentication', activity: 'verify', credential: 'api-key', principal: alice, ...source },
  { kind: 'authentication', activity: 'log-in', credential: 'browser', principal: alice, session: 's', address: '' },
  { kind: 'session', of: 'mcp', change: 'opened', session: 's', principal: alice, expiresAtMs: TIME_MS, ...source },
  {
    kind: 'session',
    of: 'browser',
    change: 'closed',
    why: 'logged out',
    session: 's',
    principal: alice,
    expiresAtMs: TIME_MS,
    address: '',
  },
  { kind: 'refused-early', stage: 'door', code: 'parse-error', method: 'POST', ...source },
  { kind: 'refused-early', stage: 'connection', code: 'tls-handshake-failed', address: '' },
  SWAPPED,
];

describe('the record of an event', () => {
  it.each(EVENTS.map((event) => [event.kind, event] as const))(
    'of kind %s has what its class demands',
    (kind, event) => {
      const record = parsed(event);
      const classUid = Number(record['class_uid']);
      expect(Object.keys(record)).toEqual(expect.arrayContaining([...REQUIRED, ...(CLASSES[classUid] ?? ['none'])]));
      expect(record['type_uid']).toBe(classUid * 100 + Number(record['activity_id']));
      expect(record['category_uid']).toBe(Math.trunc(classUid / 1000));
      expect(record['metadata']).toMatchObject({
        version: '1.9.0',
        product: { name: 'Sallyport', version: '1.2.3' },
        uid: 'c0ffee-7',
        sequence: 7,
      });
      expect(record['unmapped']).toMatchObject({ event: kind });
    },
  );

  it('of a failed authentication says what failed, why, and for which request', () => {
    expect(parsed(FAILED)).toMatchObject({
      class_uid: 3002,
      activity_id: 1,
      severity_id: 2,
      status_id: 2,
      status: 'Failure',
      status_code: 'invalid-credential',
      status_detail: 'token: the signature is wrong',
      actor: { app_name: 'unauthenticated' },
      auth_protocol: 'OAUTH 2.0',
      src_endpoint: { ip: '192.0.2.1' },
      service: { name: 'files' },
      metadata: { correlation_uid: 'r-1' },
      unmapped: { outcome: 'refused', credential: 'jwt', claimed: { issuer: 'https://idp.example', keyId: 'one' } },
    });
  });

  it('of many alike has the count and its window', () => {
    expect(parsed(FAILED, { count: 4_990, lastMs: TIME_MS + 59_000 })).toMatchObject({
      severity_id: 3,
      count: 4_990,
      time: TIME_MS,
      start_time: TIME_MS,
      end_time: TIME_MS + 59_000,
      duration: 59_000,
    });
  });

  it('counts a log-out as a log-off, and the session of a legacy client as neither log-on nor log-off', () => {
    const activities = EVENTS.filter(({ kind }) => kind === 'session').map((event) => parsed(event)['activity_id']);
    expect(activities).toEqual([99, 2]);
  });

  it('of a change names both versions and who', () => {
    expect(parsed(SWAPPED)).toMatchObject({
      class_uid: 3004,
      activity_id: 3,
      actor: { user: { name: 'watched file' } },
      entity: { name: '/etc/sallyport.yaml', type_id: 5, type: 'Policy', version: 'p1', policy: { version: 'p1' } },
      updated_entity: { version: 'p2' },
      unmapped: { operation: 'policies/swap', outcome: 'ok', files: ['policy.cedar'] },
    });
  });

  it('of a refused change has the problems, and no more of them than fit', () => {
    const problems = Array.from({ length: 8 }, (_, index) => `problem ${index} ${'x'.repeat(1_000)}`);
    const { unmapped, severity_id: severity } = parsed({ ...SWAPPED, refused: problems });
    expect(severity).toBe(3);
    expect(unmapped).toMatchObject({ outcome: 'refused', more_problems: 3 });
    expect(JSON.stringify(unmapped).length).toBeLessThan(2_500);
  });

  it('is told to people with who, what and to which end', () => {
    expect(told(FAILED)).toMatchObject({
      event: 'authentication',
      who: 'unauthenticated',
      operation: 'authenticate',
      target: 'files',
      outcome: 'invalid-credential',
      result: 'refused',
      requestId: 'r-1',
    });
    expect(told(SWAPPED)).toMatchObject({
      event: 'change',
      who: 'watched file',
      operation: 'policies/swap',
      target: '/etc/sallyport.yaml',
      outcome: 'ok',
    });
  });

  it('stays one line of printable ASCII, whatever strangers write', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (text) => {
        const line = textOf({
          event: {
            ...FAILED,
            address: text,
            claimed: { issuer: text, keyId: text },
            failure: { code: 'internal', reason: text },
          },
          timeMs: TIME_MS,
        });
        expect(line).toMatch(/^[\x20-\x7e]+$/u);
        expect(line.length).toBeLessThan(20_000);
        JSON.parse(line);
      }),
    );
  });
});
