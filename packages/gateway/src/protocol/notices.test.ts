import { describe, expect, it } from 'vitest';

import type { Notice } from '../model/outcome.ts';
import { LEGACY_REVISIONS, MODERN_REVISIONS, type Revision } from '../model/revision.ts';
import type { NoticeContext } from './codec.ts';
import { clientCodecFor, serverCodecFor } from './codecs.ts';

const REVISIONS: readonly Revision[] = [...LEGACY_REVISIONS, ...MODERN_REVISIONS];

describe.each(REVISIONS)('a notice for a %s client', (revision) => {
  const encode = (method: string, params: object, context: NoticeContext = {}): unknown => {
    const notice: Notice = clientCodecFor(revision).decodeNotice(method, { ...params });
    const text = serverCodecFor(revision).encodeNotice(notice, context);
    return text === undefined ? undefined : JSON.parse(text);
  };

  it('of progress carries the client’s own token, and all else that the server said', () => {
    const params = { progressToken: 99, progress: 1, total: 2, message: 'half', vendor: true };
    expect(encode('notifications/progress', params, { progressToken: 'mine' })).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { ...params, progressToken: 'mine' },
    });
    expect(encode('notifications/progress', params)).toBeUndefined();
  });

  it('of the log is sent from the level that the client asked for', () => {
    const log = (level: string) => encode('notifications/message', { level, data: 'x' }, { logLevel: 'warning' });
    expect(log('info')).toBeUndefined();
    expect(log('warning')).toMatchObject({ method: 'notifications/message', params: { level: 'warning', data: 'x' } });
    expect(log('emergency')).toBeDefined();
    expect(log('loud')).toBeUndefined();
    expect(encode('notifications/message', { level: 'emergency', data: 'x' })).toBeUndefined();
  });

  it('that nobody knows passes as it is', () => {
    expect(encode('notifications/com.example/x', { a: [1] })).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/com.example/x',
      params: { a: [1] },
    });
  });

  it.each([
    'notifications/tools/list_changed',
    'notifications/resources/updated',
    'notifications/cancelled',
    'notifications/tasks/status',
  ])('%s has no place among those of a call', (method) => {
    expect(encode(method, {})).toBeUndefined();
  });
});
