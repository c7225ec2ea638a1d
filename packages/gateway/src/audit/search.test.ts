import { describe, expect, it } from 'vitest';
import { createSearch, type AuditQuery } from './search.ts';

type Line = {
  readonly sequence: number;
  readonly event?: string;
  readonly who?: string;
  readonly tool?: string;
  readonly outcome?: string;
  readonly code?: string;
  readonly intent?: number;
  readonly timeMs?: number;
};

/** A record as `record.ts` writes it, as far as a search looks at it. */
function line({
  sequence,
  event = 'outcome',
  who = 'alice',
  tool = 'files/read',
  outcome = 'ok',
  ...rest
}: Line): string {
  const { code, intent, timeMs = sequence * 1000 } = rest;
  return JSON.stringify({
    time: timeMs,
    duration: 5,
    ...(code === undefined ? {} : { status_code: code }),
    actor: {
      user: { name: who },
      authorizations: [{ decision: code === 'forbidden' ? 'denied' : 'allowed', policy: { uid: 'files.allow[0]' } }],
    },
    resources: [{ uid: tool }],
    api: { service: { name: tool.split('/')[0] }, operation: 'tools/call', request: { uid: `request-${sequence}` } },
    metadata: { sequence, tenant_uid: 'default' },
    unmapped: {
      event,
      ...(event === 'outcome' ? { outcome } : {}),
      ...(intent === undefined ? {} : { intent_sequence: intent }),
    },
  });
}

const OPENED = (sequence: number): string =>
  JSON.stringify({ time: 0, metadata: { sequence }, unmapped: { event: 'opened' } });

const LINES = [
  OPENED(1),
  line({ sequence: 2, event: 'intent', tool: 'files/write' }),
  line({ sequence: 3, tool: 'files/write', intent: 2 }),
  line({ sequence: 4, who: 'bob', outcome: 'refused', code: 'forbidden' }),
  line({ sequence: 5, tool: 'db/drop', event: 'intent' }),
  line({ sequence: 6, tool: 'db/query', outcome: 'failed', code: 'upstream-timeout' }),
];

function sequences(query: AuditQuery, lines: readonly string[] = LINES): readonly number[] {
  const search = createSearch(query);
  const found = [...lines.flatMap((one) => search.take(one)), ...search.end()];
  return found.map(({ record }) => record.sequence);
}

describe('a search of the audit record', () => {
  it.each<[AuditQuery, readonly number[]]>([
    [{}, [1, 3, 4, 6, 5]],
    [{ who: 'bob' }, [4]],
    [{ who: 'b*' }, [4]],
    [{ who: 'b' }, []],
    [{ tool: 'files/*' }, [3, 4]],
    [{ server: 'db' }, [6, 5]],
    [{ outcome: 'ok' }, [3]],
    [{ outcome: 'refused' }, [4]],
    [{ outcome: 'forbidden' }, [4]],
    [{ outcome: 'failed' }, [6]],
    [{ decision: 'denied' }, [4]],
    [{ sinceMs: 4000, untilMs: 6000 }, [4, 5]],
    [{ request: 'request-6' }, [6]],
    [{ text: 'UPSTREAM-Timeout' }, [6]],
    [{ who: 'bob', outcome: 'ok' }, []],
  ])('for %j finds %j', (query, found) => {
    expect(sequences(query)).toEqual(found);
  });

  it('asks for a run, a client, a tenant or a kind of record', () => {
    const one = (sequence: number, more: object): string => {
      const record = JSON.parse(line({ sequence })) as { unmapped: object; metadata: object };
      const { unmapped, metadata, ...rest } = { ...record, ...more } as typeof record & { claimed?: object };
      return JSON.stringify({ ...rest, metadata, unmapped: { ...record.unmapped, ...unmapped } });
    };
    const lines = [
      OPENED(1),
      one(2, { unmapped: { claimed: { run: 'nightly', client_name: 'claude-code' } } }),
      one(3, { ai_agent: { uid: 'vscode' }, metadata: { sequence: 3, tenant_uid: 'acme' } }),
      one(4, { unmapped: { event: 'approval' } }),
      one(5, { unmapped: { event: 'something-new' } }),
    ];
    expect(sequences({ run: 'nightly' }, lines)).toEqual([2]);
    expect(sequences({ run: 'night' }, lines)).toEqual([]);
    expect(sequences({ client: 'claude*' }, lines)).toEqual([2]);
    expect(sequences({ client: 'vscode' }, lines)).toEqual([3]);
    expect(sequences({ tenant: 'acme' }, lines)).toEqual([3]);
    expect(sequences({ kind: 'approval' }, lines)).toEqual([4]);
    expect(sequences({ kind: 'other' }, lines)).toEqual([5]);
    expect(sequences({ kind: 'writer' }, lines)).toEqual([1]);
  });

  it('shows an intent only when no outcome followed, and says so', () => {
    const search = createSearch({ outcome: 'interrupted' });
    const found = [...LINES.flatMap((one) => search.take(one)), ...search.end()];
    expect(found).toMatchObject([{ record: { sequence: 5, target: 'db/drop', outcome: 'interrupted' } }]);
  });

  it('takes what a writer had begun for interrupted when the next writer opens', () => {
    const again = [...LINES, OPENED(7), line({ sequence: 8, intent: 5, tool: 'db/drop' })];
    expect(sequences({ outcome: 'interrupted' }, again)).toEqual([5]);
  });

  it('counts lines that are no records, and goes on', () => {
    const search = createSearch({});
    const lines = ['{', '[]', '{"metadata":{}}', '', ...LINES];
    for (const one of lines) search.take(one);
    expect(search.unreadable).toBe(3);
    expect(search.read).toBe(LINES.length + 3);
  });
});
