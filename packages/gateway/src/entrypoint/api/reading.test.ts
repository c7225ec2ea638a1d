/** What auditors read, over a socket: who does not keep up, what a stream outlives, and readers that break their word. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

import { afterEach, describe, expect, it } from 'vitest';

import { recordLines } from '../../audit/record-lines.fixture.ts';
import type { Found } from '../../audit/search.ts';
import { toldRecord } from '../../audit/told-record.ts';
import { authorizerFor } from '../../authz/authorizer-fixture.ts';
import type { Oversight } from '../../pipeline/oversee.ts';
import { constant, worldOf, type World, type WorldOptions } from '../../pipeline/pipeline.fixture.ts';
import { start, type Running } from '../entrypoint.fixtures.ts';
import type { EntrypointLimits } from '../limits.ts';

const NOON = 1_790_000_000_000;

type Taken = { take: (found: Found) => void; following: boolean };

let running: Running | undefined;
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await running?.entrypoint.close(0);
});

function foundOf(id: string, tenant = 'default'): Found {
  const record = recordLines();
  record.outcome({ id, timeMs: NOON, tenant });
  const [line = ''] = record.lines;
  const told = toldRecord(line);
  if (told === undefined) throw new Error(line);
  return { record: told, line };
}

type Begun = { readonly taken: Taken; readonly world: World };

async function begin(options: WorldOptions = {}, limits: Partial<EntrypointLimits> = {}): Promise<Begun> {
  const taken: Taken = { take: () => undefined, following: false };
  const oversight: Oversight = {
    records: { search: () => Promise.resolve({ found: [foundOf('theirs', 'globex')] }) },
    credentials: () => Promise.resolve({ credentials: [] }),
    feed: {
      follow(_, take) {
        Object.assign(taken, { take, following: true });
        return () => {
          taken.following = false;
        };
      },
    },
    usage: { usage: () => Promise.reject(new Error('not asked')) },
    bodies: {
      get: (request, tenant) => Promise.resolve(request === 'r-1' ? { request, tenant: tenant ?? 'all' } : undefined),
    },
    live: () => ({}),
  };
  const world = worldOf({ oversight, ...options });
  running = await start(undefined, { pipeline: world.pipeline, limits });
  return { taken, world };
}

async function ask(path: string): Promise<Socket> {
  const socket = connect(running?.port ?? 0, '127.0.0.1');
  sockets.push(socket);
  await once(socket, 'connect');
  socket.write(
    `GET /api/v1${path} HTTP/1.1\r\nHost: 127.0.0.1:${running?.port}\r\nAuthorization: Bearer alice\r\nConnection: close\r\n\r\n`,
  );
  return socket;
}

async function answerTo(path: string): Promise<{ readonly status: number; readonly body: unknown }> {
  const response = await fetch(`http://127.0.0.1:${running?.port}/api/v1${path}`, {
    headers: { authorization: 'Bearer alice' },
  });
  return { status: response.status, body: await response.json() };
}

/** Everything that comes until the connection is closed. */
async function rest(socket: Socket): Promise<string> {
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

describe('who follows the record', () => {
  it('and does not read is dropped with a word, and holds nothing up', async () => {
    const { taken } = await begin({}, { maxPendingNoticeBytes: 100_000 });
    const socket = await ask('/audit/tail');
    await once(socket, 'readable');
    socket.pause();
    const found = foundOf('r-1');
    let given = 0;
    // Until the sockets' buffers are full, too; how large these are is the system's matter.
    for (; taken.following && given < 100_000; given++) {
      taken.take(found);
      if (given % 100 === 0) await new Promise(setImmediate);
    }
    expect(taken.following).toBe(false);
    expect(running?.logged.join('\n')).toContain('did not keep up');
    const text = await rest(socket);
    expect(text).toContain('event: end\ndata: {"reason":"too-slow"}');
    expect(running?.entrypoint.counts().streams).toBe(0);
  });

  it('does so for no longer than the credential is good for', async () => {
    const expiresAtMs = 1_800_000_000_000 + 20;
    await begin({ caller: { credential: { kind: 'jwt', expiresAtMs } } });
    expect(await rest(await ask('/audit/tail'))).toContain('{"reason":"expired"}');
  });

  it('ends it by leaving', async () => {
    const { taken } = await begin();
    const socket = await ask('/audit/tail');
    await once(socket, 'readable');
    expect([taken.following, running?.entrypoint.counts().streams]).toEqual([true, 1]);
    socket.destroy();
    while (taken.following) await new Promise(setImmediate);
  });

  it('is one of so many', async () => {
    await begin({}, { maxStreamsPerPrincipal: 1 });
    await once(await ask('/audit/tail'), 'readable');
    expect(await answerTo('/audit/tail')).toMatchObject({ status: 429, body: { code: 'too-many-streams' } });
  });
});

describe('a reader of the record that gives out what is another tenant’s', () => {
  it('is a fault of ours, and told to nobody', async () => {
    await begin();
    const { status, body } = await answerTo('/audit/records');
    expect([status, body]).toEqual([500, expect.objectContaining({ code: 'internal' })]);
    expect(JSON.stringify(body)).not.toContain('theirs');
  });
});

describe('a permit for all tenants', () => {
  const permits = (actions: readonly string[]) => ({
    authorizer: constant(
      authorizerFor(
        actions
          .map((action) => `permit (principal, action == Action::"${action}", resource == Gateway::"sallyport");`)
          .join('\n'),
      ),
    ),
  });

  it.each([
    [['readAudit'], 403],
    [['readAllTenants'], 403],
    [['readAllTenants', 'readUsage'], 403],
    [['readAllTenants', 'readAudit'], 200],
  ])('counts beside the one for reading alone: %j', async (actions, status) => {
    await begin(permits(actions));
    expect((await answerTo('/audit/records?tenants=all')).status).toBe(status);
  });

  it('is asked for bodies, too, and each of them is durable on record before it is told', async () => {
    const { world } = await begin(permits(['readAuditBodies']));
    expect(await answerTo('/audit/records/r-1/bodies')).toEqual({
      status: 200,
      body: { request: 'r-1', tenant: 'default' },
    });
    expect(world.steps).toContain('intend');
    expect((await answerTo('/audit/records/r-2/bodies')).status).toBe(404);
    expect((await answerTo('/audit/records/r-1/bodies?tenants=all')).status).toBe(403);
  });
});
