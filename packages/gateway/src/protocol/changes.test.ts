import {
  ResourceUpdatedNotificationSchema,
  SubscriptionsAcknowledgedNotificationSchema,
  SubscriptionsListenResultSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/core';
import { describe, expect, it } from 'vitest';

import { isJsonObject, type JsonObject } from '../model/json.ts';
import { concerns, LISTED_KINDS, type Change } from '../model/subscription.ts';
import { LEGACY_REVISIONS, type Revision } from '../model/revision.ts';
import { serverCodecFor } from './codecs.ts';
import { seals } from './fixtures.ts';
import { acknowledgedText, changeText, decodeChange, listenResultText, subscriptionOf } from './changes.ts';

const parsed = (text: string): JsonObject => {
  const message: unknown = JSON.parse(text);
  if (!isJsonObject(message)) throw new Error(text);
  return message;
};

const CHANGES: readonly Change[] = [
  ...LISTED_KINDS.map((of): Change => ({ kind: 'list-changed', of })),
  { kind: 'resource-updated', uri: 'note://a\n"b"' },
];

describe('a change', () => {
  it.each(CHANGES)('is read as it was written, with its subscription and without: %j', (change) => {
    for (const subscription of [undefined, 7, 'seven']) {
      const { method, params = {} } = parsed(changeText(change, subscription));
      expect(typeof method === 'string' && isJsonObject(params) && decodeChange(method, params)).toEqual(change);
      expect(isJsonObject(params) && subscriptionOf(params)).toBe(subscription);
    }
  });

  it('is worded as the official schemas want it', () => {
    const [list, , , resource] = CHANGES;
    if (list === undefined || resource === undefined) throw new Error('There are four kinds of change.');
    expect(ToolListChangedNotificationSchema.safeParse(parsed(changeText(list, 1))).error).toBeUndefined();
    expect(ResourceUpdatedNotificationSchema.safeParse(parsed(changeText(resource, 1))).error).toBeUndefined();
  });

  it('without a URI, or of another kind, is none', () => {
    expect(decodeChange('notifications/resources/updated', {})).toBeUndefined();
    expect(decodeChange('notifications/message', { uri: 'a:b' })).toBeUndefined();
  });
});

describe('a listen stream', () => {
  it('begins with an acknowledgement and ends with a result, as the official schemas want them', () => {
    const acknowledged = parsed(acknowledgedText('id-1', { toolsListChanged: true, resourceSubscriptions: ['a:b'] }));
    expect(SubscriptionsAcknowledgedNotificationSchema.safeParse(acknowledged).data?.params.notifications).toEqual({
      toolsListChanged: true,
      resourceSubscriptions: ['a:b'],
    });
    const { id, result } = parsed(listenResultText('id-1'));
    expect(id).toBe('id-1');
    expect(result).toMatchObject({ resultType: 'complete' });
    expect(SubscriptionsListenResultSchema.safeParse(result).error).toBeUndefined();
  });
});

describe('a subscription to a resource', () => {
  it.each([
    ['file:///a', 'file:///a', true],
    ['file:///a', 'file:///a/b', true],
    ['file:///a/', 'file:///a/b', true],
    ['file:///a', 'file:///ab', false],
    ['file:///a/b', 'file:///a', false],
  ])('to %s is told of %s: %s', (subscribed, changed, expected) => {
    expect(concerns(subscribed, changed)).toBe(expected);
  });
});

describe('a request for a subscription', () => {
  const ask = (revision: Revision, method: string, params: JsonObject) =>
    serverCodecFor(revision).decode({ kind: 'request', id: 3, method, params }, { seals });

  it.each(LEGACY_REVISIONS)('is to one resource in %s', (revision) => {
    for (const kind of ['subscribe', 'unsubscribe'] as const) {
      expect(ask(revision, `resources/${kind}`, { uri: 'a:b' })).toMatchObject({ operation: { kind, uri: 'a:b' } });
      expect(ask(revision, `resources/${kind}`, { uri: 5 })).toMatchObject({ failure: { code: 'invalid-params' } });
    }
  });

  it('is to everything that its filter names in 2026-07-28, once', () => {
    const notifications = { toolsListChanged: true, promptsListChanged: false, resourceSubscriptions: ['a:b', 'a:b'] };
    expect(ask('2026-07-28', 'subscriptions/listen', { notifications })).toMatchObject({
      operation: { kind: 'listen', filter: { toolsListChanged: true, resourceSubscriptions: ['a:b'] } },
    });
  });

  it.each<[JsonObject]>([
    [{}],
    [{ notifications: [] }],
    [{ notifications: { toolsListChanged: 'yes' } }],
    [{ notifications: { resourceSubscriptions: 'a:b' } }],
    [{ notifications: { resourceSubscriptions: ['a:b', 5] } }],
    [{ notifications: { taskIds: {} } }],
  ])('with the parameters %j is refused', (params) => {
    expect(ask('2026-07-28', 'subscriptions/listen', params)).toMatchObject({ failure: { code: 'invalid-params' } });
  });
});
