/** Log levels in the words of each era: said once for a session, or with each request. */

import { describe, expect, it } from 'vitest';

import { LEGACY_REVISIONS } from '../model/revision.ts';
import { clientCodecFor, serverCodecFor } from './codecs.ts';
import type { UpstreamRequest } from './codec.ts';
import { callTool, seals } from './fixtures.ts';

describe('a log level', () => {
  it.each(LEGACY_REVISIONS)('of %s sets the log level of its session, to a level that there is', (revision) => {
    const decode = (level: string) =>
      serverCodecFor(revision).decode(
        { kind: 'request', id: 3, method: 'logging/setLevel', params: { level } },
        { seals },
      );
    expect(decode('warning')).toMatchObject({ operation: { kind: 'set-log-level', level: 'warning' } });
    const refused = decode('loud');
    expect(refused).toMatchObject({ kind: 'refused', id: 3, failure: { code: 'invalid-params' } });
    expect(JSON.stringify(refused)).toContain('debug, info, notice');
  });

  it('of a session with a log level says so to a modern server, each time', () => {
    const silent: UpstreamRequest = {
      id: 1,
      operation: callTool,
      meta: { vendor: {} },
      client: { era: 'legacy', revision: '2025-11-25', capabilities: {}, address: '' },
    };
    const asked: UpstreamRequest = { ...silent, meta: { logLevel: 'info', vendor: {} } };
    expect(JSON.parse(clientCodecFor('2026-07-28').encodeRequest(asked).body)).toMatchObject({
      params: { _meta: { 'io.modelcontextprotocol/logLevel': 'info' } },
    });
    expect(clientCodecFor('2025-11-25').encodeRequest(asked).body).not.toContain('logLevel');
    expect(clientCodecFor('2026-07-28').encodeRequest(silent).body).not.toContain('logLevel');
  });
});
