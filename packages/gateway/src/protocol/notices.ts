/** Notices while a call runs. Their wire form is the same in every revision that we speak. */

import type { JsonObject } from '../model/json.ts';
import { isAtLeast, isLogLevel } from '../model/log-level.ts';
import type { Notice } from '../model/outcome.ts';
import type { NoticeContext } from './codec.ts';
import { notificationText } from './json-rpc.ts';

/**
 * What an upstream may send on a call's stream that is not about the call: handshakes, cancellations, and changes that
 * belong on a subscription's stream. The client of this call did not ask for them.
 */
const NOT_ABOUT_A_CALL: ReadonlySet<string> = new Set([
  'notifications/cancelled',
  'notifications/initialized',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/roots/list_changed',
  'notifications/subscriptions/acknowledged',
  'notifications/elicitation/complete',
  'notifications/tasks',
  'notifications/tasks/status',
]);

export function decodeNotice(method: string, params: JsonObject): Notice {
  if (method === 'notifications/progress') return { kind: 'progress', params };
  if (method === 'notifications/message') return { kind: 'log', params };
  return { kind: 'other', method, params };
}

/** The notice under the client's own progress token, or undefined when this client did not ask for its kind. */
export function encodeNotice(notice: Notice, context: NoticeContext): string | undefined {
  switch (notice.kind) {
    case 'progress': {
      const { progressToken } = context;
      if (progressToken === undefined) return undefined;
      return notificationText('notifications/progress', { ...notice.params, progressToken });
    }
    case 'log': {
      const { logLevel } = context;
      if (logLevel === undefined) return undefined;
      const { level } = notice.params;
      if (!isLogLevel(level) || !isAtLeast(level, logLevel)) return undefined;
      return notificationText('notifications/message', notice.params);
    }
    case 'other':
      return NOT_ABOUT_A_CALL.has(notice.method) ? undefined : notificationText(notice.method, notice.params);
  }
}
