/** Calls that their servers answer with tasks, of either era: for clients that take them, and for all others. */

import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { startChildServer, scriptPath, type ChildServer } from './harness/child.ts';
import { connectAsked, type AskedClient, type Person } from './harness/asked-clients.ts';
import { abandonable } from './harness/exchange.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { bearer, modern as modernRequest, send } from './harness/http.ts';
import { taskClient, type TaskClient } from './harness/task-client.ts';
import { until } from './harness/until.ts';
import { CLIENT_KINDS, type ClientKind } from './matrix/clients.ts';
import {
  computing,
  FOR_ALL_OTHERS,
  FOR_WHO_TAKES_TASKS,
  SAID,
  textOf,
  type TaskServer,
} from './matrix/task-requirements.ts';

const SERVERS = ['modern-http', 'modern-stdio', 'legacy-http', 'legacy-stdio'] as const;

let modern: ChildServer;
let legacy: ChildServer;
let gateway: TestGateway;

beforeAll(async () => {
  modern = await startChildServer('fixtures/tasks-server.ts', 'http');
  legacy = await startChildServer('fixtures/legacy-tasks-server.ts', 'http');
  const command = (script: string): string =>
    `command: ["${process.execPath}", "${scriptPath(`fixtures/${script}`)}", stdio]`;
  gateway = await startTestGateway({
    users: { alice: ['staff'], bob: ['staff'], carol: ['careful'], dave: ['staff', 'leaving'] },
    policies: [
      'permit (principal in Group::"staff", action, resource);',
      '@approval("group:nobody") permit (principal in Group::"careful", action, resource);',
    ].join('\n'),
    yaml: [
      'tasks: { minPoll: 20ms, maxWaitingPerPrincipal: 4, maxKeptPerPrincipal: 8 }',
      'servers:',
      `  modern-http: { url: "${modern.url}" }`,
      `  modern-stdio: { ${command('tasks-server.ts')}, sharing: shared }`,
      `  legacy-http: { url: "${legacy.url}" }`,
      `  legacy-stdio: { ${command('legacy-tasks-server.ts')}, sharing: principal }`,
      `  legacy-once: { ${command('legacy-tasks-server.ts')}, sharing: call }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await modern?.close();
  await legacy?.close();
});

const urlOf = (server: string): string => `${gateway.url}/servers/${server}/mcp`;

const client = (server: string, who = 'alice', capabilities?: Record<string, unknown>): TaskClient =>
  taskClient({
    url: server === '' ? `${gateway.url}/mcp` : urlOf(server),
    key: gateway.keys[who] ?? '',
    ...(capabilities === undefined ? {} : { capabilities }),
  });

const PATHS = ['/servers/', '/mcp'] as const;

/** The server as the clients of an endpoint see it. */
const on = (server: string, where: (typeof PATHS)[number]): TaskServer => ({
  era: server.startsWith('modern') ? 'modern' : 'legacy',
  name: (tool) => (where === '/mcp' ? `${server}_${tool}` : tool),
});

describe.each(SERVERS)('a client that takes tasks, and the server %s', (server) => {
  describe.each(PATHS)('on %s', (where) => {
    it.each(FOR_WHO_TAKES_TASKS)('$title [$cites]', async ({ check }) => {
      await check(client(where === '/mcp' ? '' : server), on(server, where));
    });
  });

  it('has a task on the endpoint where it was made, and nowhere else', async () => {
    const [tool, args] = computing(on(server, '/mcp'), 'all');
    const taskId = await client('').begin(tool, args);
    expect((await client(server).get(taskId)).error?.code).toBe(-32_602);
    await client('').whenIt('completed', taskId);
  });
});

describe('a task id', () => {
  const begun = (): Promise<string> => client('modern-http').begin('slow_compute', { seconds: 60 });

  it.each<[string, string, (taskId: string) => Promise<{ error: unknown }>]>([
    ['of somebody else', 'sealed for somebody else', (taskId) => client('modern-http', 'bob').get(taskId)],
    ['of another endpoint', 'none of ours', (taskId) => client('modern-stdio').get(taskId)],
    ['that was altered', 'none of ours', (taskId) => client('modern-http').get(`${taskId.slice(0, -2)}xx`)],
    ['that is none', 'none of ours', () => client('modern-http').get('786512e2-9e0d-44bd-8f29-789f320fe840')],
    [
      'of somebody else, to be answered',
      'sealed for somebody else',
      (taskId) => client('modern-http', 'bob').request('tasks/update', { taskId, inputResponses: {} }),
    ],
    [
      'of somebody else, to be cancelled',
      'sealed for somebody else',
      (taskId) => client('modern-http', 'bob').request('tasks/cancel', { taskId }),
    ],
  ])('%s is refused, recorded, and said no more about', async (_, reason, use) => {
    const taskId = await begun();
    const before = gateway.records().length;
    const { error } = await use(taskId);
    expect(error).toMatchObject({ code: -32_602 });
    expect((error as { message: string }).message).toMatch(/^There is no such task, or not any more\./);
    await until('the record to say so', () =>
      gateway
        .records()
        .slice(before)
        .some((record) => record.status_code === 'unknown-task' && JSON.stringify(record).includes(reason)),
    );
  });

  it('must be the one in the header, which is checked before', async () => {
    const { status, error } = await client('modern-http').request('tasks/get', { taskId: await begun() }, 'another');
    expect([status, error?.code]).toEqual([400, -32_020]);
  });

  it('is of no use to a client that did not declare the extension', async () => {
    const { status, error } = await client('modern-http', 'alice', {}).get(await begun());
    expect([status, error?.code]).toEqual([400, -32_021]);
    expect(error?.data).toMatchObject({
      requiredCapabilities: { extensions: { 'io.modelcontextprotocol/tasks': {} } },
    });
  });

  it('never leaves us: the server sees its own, in the body and in the header', async () => {
    const own = client('modern-http');
    const taskId = await own.begin('slow_compute', { seconds: 60 });
    await own.get(taskId);
    const seen = JSON.parse(textOf((await own.call('seen')).result) ?? '') as Record<string, string>;
    expect(seen).toMatchObject({ method: 'tasks/get', taskId: seen['name'] });
    expect(seen['taskId']).not.toBe(taskId);
    await own.request('tasks/cancel', { taskId });
  });

  it('opens nothing for somebody who may not call the tool any more', async () => {
    const own = client('modern-http', 'dave');
    const taskId = await own.begin('slow_compute', { label: 'private' });
    const file = path.join(gateway.directory, 'policy.cedar');
    const before = readFileSync(file, 'utf8');
    const leaves = 'forbid (principal in Group::"leaving", action, resource == Tool::"modern-http/slow_compute");';
    try {
      writeFileSync(file, `${before}\n${leaves}`);
      await gateway.gateway.reloadPolicies();
      const refused = await own.get(taskId);
      expect(refused.error).toMatchObject({ code: -32_602, message: expect.stringContaining('There is no such task') });
      expect(JSON.stringify(refused)).not.toContain('computed');
    } finally {
      writeFileSync(file, before);
      await gateway.gateway.reloadPolicies();
    }
    expect(textOf((await own.whenIt('completed', taskId)).result)).toBe('computed private');
  });

  it('is recorded with the name of the tool that it came out of', async () => {
    const own = client('modern-http', 'bob');
    const taskId = await own.begin('slow_compute', { label: 'recorded' });
    await own.whenIt('completed', taskId);
    await until('the record of it', () =>
      gateway.records().some((record) => {
        const text = JSON.stringify(record);
        return text.includes('"tasks/get"') && text.includes('slow_compute') && text.includes('bob');
      }),
    );
  });
});

describe('a task that is gone at its server', () => {
  it('is said to be gone, and that the call has to be made again', async () => {
    const own = client('modern-stdio');
    const taskId = await own.begin('slow_compute', { seconds: 60 });
    await own.call('forget');
    const { error } = await own.get(taskId);
    expect(error).toMatchObject({ code: -32_602, message: expect.stringContaining('Call the tool again') });
  });

  it('is gone with its process', async () => {
    const own = client('legacy-stdio', 'bob');
    const taskId = await own.begin('compute', { ms: 60_000 });
    await own.call('leave');
    const { error } = await until('the process to be gone', async () => {
      const answer = await own.get(taskId);
      return answer.error === undefined ? undefined : answer;
    });
    expect(error?.message).toMatch(/Call the tool again|ended|exited/);
    expect((await own.get(taskId)).error).toMatchObject({ code: -32_602 });
  });

  it('keeps the process that was made for its call alone', async () => {
    const own = client('legacy-once');
    const taskId = await own.begin('compute', { ms: 200, label: 'once' });
    expect(textOf((await own.whenIt('completed', taskId)).result)).toBe('computed once');
  });
});

/** Says what is known of every field that she is asked for. */
const ada: Person = ({ message }) => {
  const field = Object.keys(SAID).find((name) => message.toLowerCase().includes(name)) ?? 'confirm';
  return { action: 'accept', content: { [field]: SAID[field] } } as never;
};

type Whoever = { readonly kind: ClientKind; readonly server: string; readonly person?: Person; readonly who?: string };

async function as<T>(
  { kind, server, person, who = 'alice' }: Whoever,
  act: (own: AskedClient) => Promise<T>,
): Promise<T> {
  const url = server === '' ? `${gateway.url}/mcp` : urlOf(server);
  const options = { kind, url, key: gateway.keys[who] ?? '' };
  const own = await connectAsked(person === undefined ? options : { ...options, person });
  try {
    return await act(own);
  } finally {
    await own.close();
  }
}

describe.each(CLIENT_KINDS)('a client of %s, which takes no tasks', (kind) => {
  describe.each(SERVERS)('and the server %s', (server) => {
    describe.each(PATHS)('on %s', (where) => {
      it.each(FOR_ALL_OTHERS)('$title [$cites]', async ({ check }) => {
        const whoever = { kind, server: where === '/mcp' ? '' : server, person: ada };
        await as(whoever, (own) => check(own, on(server, where)));
      });
    });
  });

  it('gets the error of a task that failed', async () => {
    await expect(
      as({ kind, server: 'modern-http' }, (own) => own.call('protocol_error_job', {})),
    ).rejects.toMatchObject({
      code: 4242,
      message: expect.stringContaining('The job broke.'),
    });
  });

  it('of one that it cannot be asked about, says what is missing', async () => {
    const call = as({ kind, server: 'modern-http' }, (own) => own.call('multi_input', {}));
    await expect(call).rejects.toThrow(/elicitation\/create/);
  });
});

describe('a call that waits for a task', () => {
  const counts = async (own: TaskClient): Promise<Record<string, number>> =>
    JSON.parse(textOf((await own.call('counts')).result) ?? '') as Record<string, number>;

  it('is done once, whatever is asked meanwhile', async () => {
    const own = client('modern-http', 'alice', { elicitation: { form: {} } });
    const before = await counts(own);
    await own.call('slow_compute', { label: 'once' });
    expect(await counts(own)).toMatchObject({ computed: (before['computed'] ?? 0) + 1 });
  });

  it('tells of the task as progress', async () => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
      progressToken: 'p',
    };
    const params = { name: 'slow_compute', arguments: { seconds: 1, label: 'told' }, _meta };
    const { headers, body } = modernRequest('tools/call', params);
    const { text } = await send(urlOf('modern-http'), {
      headers: { ...headers, ...bearer(gateway.keys['alice'] ?? '') },
      body,
    });
    const told = [...text.matchAll(/"message":"([^"]+)"/gu)].map(([, message]) => message);
    expect(told).toEqual(['begun', 'half way']);
    expect([...text.matchAll(/"progress":(\d+)/gu)].map(([, progress]) => Number(progress))).toEqual([1, 2]);
    expect(text).toContain('computed told');
  });

  it('is cancelled at its server when its client goes away', async () => {
    const own = client('modern-http');
    const before = await counts(own);
    const { headers, body } = modernRequest('tools/call', { name: 'slow_compute', arguments: { seconds: 600 } });
    const left = abandonable(urlOf('modern-http'), {
      headers: { ...headers, ...bearer(gateway.keys['alice'] ?? '') },
      body,
    });
    await until(
      'the task to be asked after',
      async () => ((await counts(own))['polled'] ?? 0) > (before['polled'] ?? 0),
    );
    left.leave();
    await until(
      'the task to be cancelled',
      async () => ((await counts(own))['cancelled'] ?? 0) > (before['cancelled'] ?? 0),
    );
  });

  it('is refused beyond what one caller may have, and its task cancelled', async () => {
    const own = client('modern-http', 'bob', {});
    const waiting = Array.from({ length: 5 }, () => own.call('slow_compute', { seconds: 1, label: 'many' }));
    const refused = (await Promise.all(waiting)).filter(({ error }) => error !== undefined);
    expect(refused).toHaveLength(1);
    expect(refused[0]?.error?.message).toMatch(/4 of your calls wait for tasks, as many as may/);
  });

  it('that had to be approved is not made before', async () => {
    const { error, result } = await client('modern-http', 'carol').call('slow_compute', {});
    expect(JSON.stringify(error ?? result)).toMatch(/approv/);
  });
});
