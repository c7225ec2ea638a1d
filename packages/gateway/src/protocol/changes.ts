/**
 * The messages of subscriptions. Every revision words a change alike; 2026-07-28 adds which subscription it belongs to
 * (basic/utilities/subscriptions).
 */

import { failure, type Failure } from '../model/failure.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { SubscriptionFilter } from '../model/operation.ts';
import { err, ok, type Result } from '../model/result.ts';
import { LISTED_KINDS, type Change, type ListedKind } from '../model/subscription.ts';
import { SALLYPORT } from './identity.ts';
import { notificationText, resultText, type JsonRpcId } from './json-rpc.ts';

const SUBSCRIPTION_ID = 'io.modelcontextprotocol/subscriptionId';
export const ACKNOWLEDGED = 'notifications/subscriptions/acknowledged';
const UPDATED = 'notifications/resources/updated';

const LIST_CHANGED = {
  tools: 'notifications/tools/list_changed',
  prompts: 'notifications/prompts/list_changed',
  resources: 'notifications/resources/list_changed',
} as const satisfies Record<ListedKind, string>;

/** The member of the filter that asks for changes of a list. */
export const LIST_FLAGS = {
  tools: 'toolsListChanged',
  prompts: 'promptsListChanged',
  resources: 'resourcesListChanged',
} as const satisfies Record<ListedKind, keyof SubscriptionFilter>;

/** `subscription` is the id of the listen request; a legacy client has none. */
export function changeText(change: Change, subscription?: JsonRpcId): string {
  const meta = subscription === undefined ? undefined : { _meta: { [SUBSCRIPTION_ID]: subscription } };
  return change.kind === 'list-changed'
    ? notificationText(LIST_CHANGED[change.of], meta)
    : notificationText(UPDATED, { uri: change.uri, ...meta });
}

export const acknowledgedText = (subscription: JsonRpcId, notifications: SubscriptionFilter): string =>
  notificationText(ACKNOWLEDGED, {
    notifications: filterParams(notifications),
    _meta: { [SUBSCRIPTION_ID]: subscription },
  });

/** The graceful end: the result of the listen request. */
export const listenResultText = (subscription: JsonRpcId): string =>
  resultText(subscription, {
    resultType: 'complete',
    _meta: { [SUBSCRIPTION_ID]: subscription, 'io.modelcontextprotocol/serverInfo': SALLYPORT },
  });

export function decodeChange(method: string, params: JsonObject): Change | undefined {
  if (method === UPDATED) {
    const { uri } = params;
    return typeof uri === 'string' ? { kind: 'resource-updated', uri } : undefined;
  }
  const of = LISTED_KINDS.find((kind) => LIST_CHANGED[kind] === method);
  return of === undefined ? undefined : { kind: 'list-changed', of };
}

/** Which subscription a message belongs to: on stdio all of them share one pipe. */
export function subscriptionOf(params: JsonObject): Json | undefined {
  const { _meta } = params;
  return isJsonObject(_meta) ? _meta[SUBSCRIPTION_ID] : undefined;
}

/** `notifications` of a listen request, or of its acknowledgement. */
export function readFilter(notifications: Json | undefined): Result<SubscriptionFilter, Failure> {
  if (!isJsonObject(notifications)) return wrong('params.notifications must be an object.');
  const filter: { -readonly [Key in keyof SubscriptionFilter]: SubscriptionFilter[Key] } = {};
  for (const flag of Object.values(LIST_FLAGS)) {
    const asked = notifications[flag];
    if (asked !== undefined && typeof asked !== 'boolean')
      return wrong(`params.notifications.${flag} must be a boolean.`);
    if (asked === true) filter[flag] = true;
  }
  for (const name of ['resourceSubscriptions', 'taskIds'] as const) {
    const asked = notifications[name];
    if (asked === undefined) continue;
    const texts = Array.isArray(asked) ? asked.filter((text) => typeof text === 'string') : [];
    if (!Array.isArray(asked) || texts.length !== asked.length) {
      return wrong(`params.notifications.${name} must be an array of strings.`);
    }
    filter[name] = [...new Set(texts)];
  }
  return ok(filter);
}

const wrong = (message: string): Result<never, Failure> => err(failure('invalid-params', { message }));

/** As params of a message: an absent member and an undefined one are the same there. */
export function filterParams(filter: SubscriptionFilter): JsonObject {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
}
