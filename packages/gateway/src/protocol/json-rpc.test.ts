import { describe, expect, it } from 'vitest';

import type { Json } from '../model/json.ts';
import { notificationText, readMessage, requestText } from './json-rpc.ts';

describe('readMessage', () => {
  it.each<[Json, object]>([
    [
      { jsonrpc: '2.0', id: 0, method: 'ping' },
      { kind: 'request', id: 0, method: 'ping', params: {} },
    ],
    [
      { jsonrpc: '2.0', id: '', method: 'x', params: { a: 1 } },
      { kind: 'request', id: '', method: 'x', params: { a: 1 } },
    ],
    [
      { jsonrpc: '2.0', method: 'notifications/x' },
      { kind: 'notification', method: 'notifications/x', params: {} },
    ],
    [
      { jsonrpc: '2.0', id: 1, result: {} },
      { kind: 'response', id: 1 },
    ],
    [
      { jsonrpc: '2.0', id: 1, error: { code: 1, message: '' } },
      { kind: 'response', id: 1 },
    ],
  ])('tells what %j is', (body, message) => {
    expect(readMessage(body)).toMatchObject({ ok: true, value: message });
  });

  it.each<[Json | undefined, string | number | null]>([
    [undefined, null],
    [null, null],
    [[], null],
    [{}, null],
    [{ id: 5, method: 'x' }, 5],
    [{ jsonrpc: '2.0', id: null, method: 'x' }, null],
    [{ jsonrpc: '2.0', id: {}, method: 'x' }, null],
    [{ jsonrpc: '2.0', id: 5, method: '' }, 5],
    [{ jsonrpc: '2.0', id: 5, method: 'x', params: 'y' }, 5],
    [{ jsonrpc: '2.0', result: {} }, null],
  ])('refuses %j under the id that could be read', (body, id) => {
    expect(readMessage(body)).toMatchObject({ ok: false, error: { id, failure: { code: 'invalid-request' } } });
  });

  it('reads what we write', () => {
    expect(readMessage(JSON.parse(requestText(1, 'x', { a: '\n' })))).toMatchObject({
      ok: true,
      value: { id: 1, params: { a: '\n' } },
    });
    expect(readMessage(JSON.parse(notificationText('y')))).toMatchObject({
      ok: true,
      value: { method: 'y', params: {} },
    });
    expect(requestText(1, 'x', { a: '\n' })).not.toContain('\n');
  });
});
