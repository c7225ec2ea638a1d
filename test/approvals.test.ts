/** Calls that a person has to agree to: real clients of both eras, a real gateway, a real server that counts what reaches it. */

import { rmSync } from 'node:fs';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { startGateway } from '../packages/gateway/src/gateway.ts';
import type { Principal } from '../packages/gateway/src/model/principal.ts';
import { startIssuer, type TestIssuer } from './fixtures/issuer.ts';
import { startMisbehavingServer, type MisbehavingServer } from './fixtures/misbehaving-http.ts';
import { loaded, openDesk, person, SILENT, type Desk } from './harness/approval-desk.ts';
import { connectAsked, type AskedClient, type Person, type Said } from './harness/asked-clients.ts';
import { readRecords, writeTestConfig } from './harness/config-file.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern, send, type HttpAnswer } from './harness/http.ts';
import { until } from './harness/until.ts';
import { CLIENT_KINDS, type ClientKind } from './matrix/clients.ts';

const POLICIES = `
@approval("caller") @description("Money leaves the house.")
permit (principal, action, resource in Server::"bank");
@approval("group:dba")
permit (principal, action, resource in Server::"database");
@approval("caller")
permit (principal, action, resource in Server::"reactor");
`;

const yamlFor = (upstream: string, issuer = 'http://127.0.0.1:1'): string =>
  [
    `  issuers: [{ issuer: "${issuer}" }]`,
    'approvals: { wait: 10s, maxPending: 200 }',
    'servers:',
    `  bank: { url: "${upstream}" }`,
    `  database: { url: "${upstream}" }`,
    `  reactor: { url: "${upstream}", tools: { "*": { risk: high } } }`,
  ].join('\n');

const USERS = { alice: ['staff'], bob: ['staff'], dora: ['dba'] };

let upstream: MisbehavingServer;
let issuer: TestIssuer;
let gateway: TestGateway;
let desk: Desk;

beforeAll(async () => {
  [upstream, issuer] = await Promise.all([startMisbehavingServer(), startIssuer()]);
  gateway = await startTestGateway({ users: USERS, policies: POLICIES, yaml: yamlFor(upstream.url, issuer.url) });
  desk = await openDesk(gateway.directory);
});

afterAll(async () => {
  await desk?.close();
  await gateway?.close();
  await Promise.all([upstream?.close(), issuer?.close()]);
});

beforeEach(() => void upstream.seen.splice(0));

const made = (): number => upstream.seen.filter(({ rpc }) => rpc.method === 'tools/call').length;
const keyOf = (name: string): string => gateway.keys[name] ?? '';

/** Arguments that no other test uses: an approval is for one call of one caller. */
let serial = 0;
const fresh = (): { text: string; count: number } => ({ text: 'pay', count: ++serial });

type Connecting = {
  readonly server?: string;
  readonly who?: string;
  readonly modes?: Record<string, Record<string, never>>;
};

const connect = (
  kind: ClientKind,
  answering: Person | undefined,
  { server = 'bank', who = 'alice', modes }: Connecting = {},
): Promise<AskedClient> =>
  connectAsked({
    kind,
    url: `${gateway.url}/servers/${server}/mcp`,
    key: keyOf(who),
    ...(answering === undefined ? {} : { person: answering }),
    ...(modes === undefined ? {} : { modes }),
  });

const says = (action: Said['action'], confirm = true): Said =>
  action === 'accept' ? { action, content: { confirm } } : { action };

describe.each(CLIENT_KINDS)('%s', (kind) => {
  test('shows its person exactly what will happen, and makes the call once when they agree', async () => {
    const client = await connect(kind, () => says('accept'));
    const args = fresh();
    expect(await client.call('ok', args)).toEqual({ text: 'fine', isError: false });
    expect(made()).toBe(1);
    expect(client.questions).toHaveLength(1);
    for (const line of [
      'Tool: ok',
      'Server: bank',
      'Asked for by: alice',
      '  text: "pay"',
      `  count: ${args.count}`,
      'Money leaves the house.',
    ])
      expect(client.questions[0]?.message).toContain(line);
    await client.close();
  });

  test.each<[string, Said]>([
    ['declines', says('decline')],
    ['dismisses the question', says('cancel')],
    ['says no in the form', says('accept', false)],
  ])('does not make the call when its person %s', async (_, said) => {
    const client = await connect(kind, () => said);
    const { text, isError } = await client.call('ok', fresh());
    expect([isError, made()]).toEqual([true, 0]);
    expect(text).toContain('Nothing was done');
    await client.close();
  });

  test('that cannot ask anyone is told where to approve, and finds the approval when it calls again', async () => {
    const client = await connect(kind, undefined, { server: 'database' });
    const args = fresh();
    const told = await client.call('ok', args);
    expect(told.isError).toBe(true);
    await desk.decide(idIn(told.text));
    expect(await client.call('ok', args)).toEqual({ text: 'fine', isError: false });
    expect((await client.call('ok', args)).text).toContain('needs an approval');
    expect(made()).toBe(1);
    await client.close();
  });

  test('opens the link to somebody else, waits, and makes the call when they agree', async () => {
    const client = await connect(
      kind,
      async ({ url = '' }) => {
        await desk.decide(idIn(url));
        return says('accept');
      },
      { server: 'database' },
    );
    expect(await client.call('ok', fresh())).toEqual({ text: 'fine', isError: false });
    expect(client.questions).toMatchObject([{ mode: 'url' }]);
    expect(made()).toBe(1);
    await client.close();
  });

  test('is told when somebody else says no', async () => {
    const client = await connect(
      kind,
      async ({ url = '' }) => {
        await desk.decide(idIn(url), 'declined');
        return says('accept');
      },
      { server: 'database' },
    );
    const { text, isError } = await client.call('ok', fresh());
    expect([isError, made()]).toEqual([true, 0]);
    expect(text).toContain('declined this call');
    await client.close();
  });

  test('with forms only is never asked to open a link', async () => {
    const client = await connect(kind, () => says('accept'), { server: 'database', modes: { form: {} } });
    expect((await client.call('ok', fresh())).text).toContain(`${gateway.url}/approvals/`);
    expect(client.questions).toEqual([]);
    await client.close();
  });

  test('hears that nobody can confirm high risk for an API key, and is not asked', async () => {
    const client = await connect(kind, () => says('accept'), { server: 'reactor' });
    expect((await client.call('ok', fresh())).text).toContain('cannot log in');
    expect([client.questions.length, made()]).toEqual([0, 0]);
    await client.close();
  });

  test('hears of it as an error where there is no result for a model to read', async () => {
    // One caller for each client: the same call again would wait for the decision.
    const who = { 'sdk-v1': 'alice', 'sdk-v2-legacy': 'bob', 'sdk-v2-modern': 'dora' }[kind];
    const client = await connect(kind, undefined, { server: 'database', who });
    await expect(client.read('note://one')).rejects.toThrow(/needs an approval/u);
    await client.close();
  });

  test('two people who are asked at the same time each get their own question', async () => {
    const args = fresh();
    const both = Promise.withResolvers<void>();
    let asked = 0;
    const whenBothAreAsked = async (said: Said): Promise<Said> => {
      if (++asked === 2) both.resolve();
      await both.promise;
      return said;
    };
    const alice = await connect(kind, () => whenBothAreAsked(says('accept')));
    const bob = await connect(kind, () => whenBothAreAsked(says('decline')), { who: 'bob' });
    const [ofAlice, ofBob] = await Promise.all([alice.call('ok', args), bob.call('ok', args)]);
    expect([ofAlice.isError, ofBob.isError, made()]).toEqual([false, true, 1]);
    expect(alice.questions[0]?.message).toContain('Asked for by: alice');
    expect(bob.questions[0]?.message).toContain('Asked for by: bob');
    await Promise.all([alice.close(), bob.close()]);
  });
});

const CAPABLE = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: { form: {}, url: {} } },
};
const YES = { 'com.sallyport/approval': { action: 'accept', content: { confirm: true } } };

type Raw = { readonly url?: string; readonly who?: string; readonly more?: Record<string, unknown> };

const post = (args: object, { url = gateway.url, who = 'alice', more = {} }: Raw = {}): Promise<HttpAnswer> => {
  const request = modern('tools/call', { name: 'ok', arguments: args, ...more, _meta: CAPABLE });
  return send(`${url}/servers/bank/mcp`, { ...request, headers: { ...request.headers, ...bearer(keyOf(who)) } });
};

const stateOf = ({ json }: HttpAnswer): string => {
  expect(json?.result).toMatchObject({ resultType: 'input_required', requestState: expect.any(String) });
  return String(json?.result?.requestState);
};

describe('the state between a question and its answer', () => {
  test('is good for one call', async () => {
    const args = fresh();
    const more = { requestState: stateOf(await post(args)), inputResponses: YES };
    expect((await post(args, { more })).json?.result).toMatchObject({ resultType: 'complete' });
    const replayed = await post(args, { more });
    expect(replayed.json?.result).toMatchObject({ isError: true });
    expect(replayed.text).toContain('used for a call already');
    expect(made()).toBe(1);
    expect(upstream.seen.map(({ rpc }) => JSON.stringify(rpc)).join()).not.toMatch(
      /inputResponses|requestState|sallyport\/approval/u,
    );
  });

  test('is good for these arguments: others are refused with it, and asked about without it', async () => {
    const more = { requestState: stateOf(await post(fresh())), inputResponses: YES };
    const other = fresh();
    expect((await post(other, { more })).json?.error).toMatchObject({
      code: -32_602,
      data: { reason: 'invalid-state' },
    });
    stateOf(await post(other));
    expect(made()).toBe(0);
    await recorded('invalid-state', 'the state belongs to another request');
  });

  test('is good for its caller, and nobody else learns more than that it is not', async () => {
    const args = fresh();
    const requestState = stateOf(await post(args));
    const stolen = await post(args, { who: 'bob', more: { requestState, inputResponses: YES } });
    const forged = await post(args, {
      more: { requestState: `${requestState.slice(0, -6)}AAAAAA`, inputResponses: YES },
    });
    const nonsense = await post(args, { more: { requestState: 'nonsense', inputResponses: YES } });
    const seen = [stolen, forged, nonsense].map(({ json }) => ({ ...json?.error, data: json?.error?.data?.reason }));
    expect(seen[1]).toEqual(seen[0]);
    expect(seen[2]).toEqual(seen[0]);
    expect(made()).toBe(0);
    await recorded('invalid-state', 'the state is forged');
  });

  test('survives a restart', async () => {
    const { file, directory, auditFile, keys } = writeTestConfig({
      users: USERS,
      policies: POLICIES,
      yaml: yamlFor(upstream.url),
    });
    const start = () => startGateway(loaded(file), { logger: SILENT });
    const args = fresh();
    const key = bearer(keys.alice ?? '');
    const ask = async (url: string, more = {}): Promise<HttpAnswer> => {
      const request = modern('tools/call', { name: 'ok', arguments: args, ...more, _meta: CAPABLE });
      return send(`${url}/servers/bank/mcp`, { ...request, headers: { ...request.headers, ...key } });
    };
    const before = await start();
    const requestState = stateOf(await ask(before.url));
    await before.close(0);
    const after = await start();
    const answered = await ask(after.url, { requestState, inputResponses: YES });
    expect(answered.json?.result).toMatchObject({ resultType: 'complete' });
    expect(made()).toBe(1);
    await after.close(0);
    expect(readRecords(auditFile).length).toBeGreaterThan(0);
    rmSync(directory, { recursive: true });
  });
});

describe('high risk', () => {
  const carol = (): Principal => person('carol', [], issuer.url);

  test('is never confirmed by a client, and is by its caller after a log-in', async () => {
    const token = await issuer.token({ audience: `${gateway.url}/servers/reactor/mcp`, subject: 'carol' });
    const args = fresh();
    const ask = (more = {}): Promise<HttpAnswer> => {
      const request = modern('tools/call', { name: 'ok', arguments: args, ...more, _meta: CAPABLE });
      return send(`${gateway.url}/servers/reactor/mcp`, {
        ...request,
        headers: { ...request.headers, ...bearer(token) },
      });
    };
    const first = await ask();
    expect(Object.keys(first.json?.result?.inputRequests ?? {})).toEqual(['com.sallyport/approval-link']);
    const claimed = await ask({ requestState: stateOf(first), inputResponses: YES });
    const requestState = stateOf(claimed);
    expect(made()).toBe(0);
    const id = idIn(first.text);
    for (const how of ['client', 'api'] as const) {
      const decided = await desk.approvals.decide(id, { by: carol(), how, verdict: 'approved' });
      expect(decided).toMatchObject({ error: 'needs-browser' });
    }
    const inputResponses = { 'com.sallyport/approval-link': { action: 'accept' } };
    const waiting = ask({ requestState, inputResponses });
    await desk.approvals.decide(id, { by: carol(), how: 'browser', verdict: 'approved' });
    expect((await waiting).json?.result).toMatchObject({ resultType: 'complete' });
    expect(made()).toBe(1);
  });
});

describe('fifty retries at the same time', () => {
  test('of one approval make exactly one call', async () => {
    const args = fresh();
    const more = { requestState: stateOf(await post(args)), inputResponses: YES };
    const all = await Promise.all(Array.from({ length: 50 }, () => post(args, { more })));
    expect(all.filter(({ text }) => text.includes('"fine"'))).toHaveLength(1);
    expect(made()).toBe(1);
  });
});

describe('the record', () => {
  test('holds every round, the decision, and names the approval in the intent and the outcome', async () => {
    const args = fresh();
    const more = { requestState: stateOf(await post(args)), inputResponses: YES };
    await post(args, { more });
    const find = (): readonly unknown[] => {
      const all = gateway.records().map(
        (record) =>
          record.unmapped as {
            readonly event: string;
            readonly approval?: { readonly id: string; readonly state: string };
          },
      );
      const id = all.findLast(({ event, approval }) => event === 'outcome' && approval?.state === 'used')?.approval?.id;
      return all.filter(({ approval }) => approval?.id === id).map(({ event, approval }) => [event, approval?.state]);
    };
    await expect.poll(find).toEqual([
      ['outcome', 'asked'],
      ['approval', 'approved'],
      ['intent', 'used'],
      ['outcome', 'used'],
    ]);
  });

  test('knows who tried to approve their own request', async () => {
    const client = await connect('sdk-v2-modern', undefined, { server: 'database', who: 'dora' });
    const id = idIn((await client.call('ok', fresh())).text);
    const own = { by: person('dora', ['dba']), how: 'browser', verdict: 'approved' } as const;
    expect(await desk.approvals.decide(id, own)).toMatchObject({ error: 'own-request' });
    expect(desk.words.at(-1)).toMatchObject({ fault: 'own-request', by: { name: 'dora' }, approval: { id } });
    await client.close();
  });
});

/** The newest record that ended so, with the reason that the caller was not told. */
async function recorded(code: string, reason: string): Promise<void> {
  await until(`a record: ${reason}`, () =>
    gateway
      .records()
      .some((record) => record.status_code === code && (record.unmapped as { reason?: string }).reason === reason),
  );
}

const idIn = (text: string): string => /\/approvals\/([\w-]+)/u.exec(text)?.[1] ?? '';
