/** What clients are told between calls, at a running gateway: who hears what, who hears nothing, and how it ends. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { startTellingServer, type TellingServer } from './fixtures/telling-server.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { ask, listen, openSession, openStream, type Listening } from './harness/listening.ts';
import { until } from './harness/until.ts';

const EVERYTHING = '@id("all")\npermit (principal, action, resource);\n';
const NOT_FOR_BOB =
  '@id("not-bob")\nforbid (principal in Group::"second", action == Action::"readResource", resource);\n' +
  '@id("nor-his-tools")\nforbid (principal in Group::"second", action == Action::"callTool", resource);\n';
const NOTHING_FOR_BOB = '@id("bob-out")\nforbid (principal in Group::"second", action, resource);\n';

const UPDATED = 'notifications/resources/updated';
const ALL = {
  toolsListChanged: true,
  promptsListChanged: true,
  resourcesListChanged: true,
  resourceSubscriptions: ['note://one'],
};

let folder: string;
const closing: (() => Promise<unknown> | void)[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-subscriptions-'));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(path.join(folder, 'all.cedar'), EVERYTHING);
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

async function telling(options?: Parameters<typeof startTellingServer>[0]): Promise<TellingServer> {
  const server = await startTellingServer(options);
  closing.push(() => server.close());
  return server;
}

async function started(servers: string, more: readonly string[] = []): Promise<TestGateway> {
  const gateway = await startTestGateway({
    users: { alice: ['first'], bob: ['second'] },
    yaml: [`policies: ["${folder}"]`, 'servers:', servers, ...more].join('\n'),
  });
  closing.push(() => gateway.close());
  return gateway;
}

const shared = ({ url }: TellingServer): string => `  notes: { url: "${url}", sharing: shared }`;
const at = ({ url }: TestGateway): string => `${url}/servers/notes/mcp`;

async function listening(gateway: TestGateway, who: string, filter: object = ALL): Promise<Listening> {
  const opened = await listen(at(gateway), gateway.keys[who] ?? '', filter);
  closing.push(() => opened.stop());
  await until('the acknowledgement', () => opened.messages.length > 0);
  return opened;
}

const hears = (client: Listening, what: string): Promise<unknown> =>
  until(`${what} to be heard`, () => client.heard().includes(what));

describe('two people of one server', () => {
  test('share one stream of it and one subscription, and both are told, each under their own id', async () => {
    const server = await telling();
    const gateway = await started(shared(server));
    const alice = await listening(gateway, 'alice');
    const bob = await listening(gateway, 'bob', { resourceSubscriptions: ['note://one', 'note://two'] });
    expect(alice.messages[0]).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      // It has no prompts.
      params: {
        notifications: { toolsListChanged: true, resourcesListChanged: true, resourceSubscriptions: ['note://one'] },
        _meta: { 'io.modelcontextprotocol/subscriptionId': 1 },
      },
    });
    expect(server.listening().map((uris) => uris.toSorted())).toEqual([['note://one', 'note://two']]);

    server.touch('note://two');
    await hears(bob, `${UPDATED} note://two`);
    server.touch('note://one');
    await hears(alice, `${UPDATED} note://one`);
    await hears(bob, `${UPDATED} note://one`);
    expect(alice.heard()).toEqual([`${UPDATED} note://one`]);
    expect(alice.messages[1]?.params).toMatchObject({ _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } });

    bob.stop();
    await until('one subscription less', () => server.listening()[0]?.length === 1);
    alice.stop();
    await until('nobody to be told', () => server.listening().length === 0);
  });

  test('share nothing where each has a session of their own', async () => {
    const server = await telling();
    const gateway = await started(`  notes: { url: "${server.url}", sharing: principal }`);
    const only = { resourceSubscriptions: ['note://one'] };
    const alice = await listening(gateway, 'alice', only);
    const bob = await listening(gateway, 'bob', only);
    expect(server.listening().filter((uris) => uris.includes('note://one'))).toHaveLength(2);
    server.touch('note://one', 'newest');
    await hears(bob, `${UPDATED} note://one`);
    expect(alice.heard()).toEqual([]);
  });

  test('hear of a tool that came, on a session stream as on a listen stream', async () => {
    const server = await telling();
    const gateway = await started(shared(server));
    const modern = await listening(gateway, 'alice', { toolsListChanged: true });
    const legacy = await openStream(at(gateway), await openSession(at(gateway), gateway.keys['bob'] ?? ''));
    closing.push(() => legacy.stop());
    await until('the server to be listened to', () => server.listening().length > 0);
    server.offer(['look', 'listen']);
    await hears(modern, 'notifications/tools/list_changed');
    await hears(legacy, 'notifications/tools/list_changed');
  });
});

describe('whoever loses a right', () => {
  test('is told that their list has changed, hears no more of the resource, and others notice nothing', async () => {
    const server = await telling();
    const gateway = await started(shared(server));
    const alice = await listening(gateway, 'alice');
    const bob = await listening(gateway, 'bob');
    writeFileSync(path.join(folder, 'bob.cedar'), NOT_FOR_BOB);
    await gateway.gateway.reloadPolicies();
    server.touch('note://one');
    await hears(bob, 'notifications/tools/list_changed');
    await hears(alice, `${UPDATED} note://one`);
    expect(bob.heard()).not.toContain(`${UPDATED} note://one`);
    expect(alice.heard()).not.toContain('notifications/tools/list_changed');

    rmSync(path.join(folder, 'bob.cedar'));
    await gateway.gateway.reloadPolicies();
    // Theirs again, and it may have changed meanwhile.
    await hears(bob, `${UPDATED} note://one`);
  });

  test('of everything that the endpoint has gets the result of the subscription, and its stream ends', async () => {
    const server = await telling();
    const gateway = await started(shared(server));
    const bob = await listening(gateway, 'bob');
    writeFileSync(path.join(folder, 'bob.cedar'), NOTHING_FOR_BOB);
    await gateway.gateway.reloadPolicies();
    await bob.ended;
    expect(bob.messages.at(-1)).toMatchObject({
      id: 1,
      result: { resultType: 'complete', _meta: { 'io.modelcontextprotocol/subscriptionId': 1 } },
    });
  });
});

describe('a server', () => {
  test('that restarts is listened to again, and what may have been missed is told once more', async () => {
    const server = await telling();
    const gateway = await started(shared(server));
    const alice = await listening(gateway, 'alice');
    server.restart();
    await hears(alice, `${UPDATED} note://one`);
    expect(server.listening()).toContainEqual(['note://one']);
  });

  test('that offers no stream is not promised for', async () => {
    const server = await telling({ offersStream: false });
    const gateway = await started(shared(server));
    const alice = await listening(gateway, 'alice');
    expect(alice.messages[0]?.params?.['notifications']).toEqual({
      toolsListChanged: true,
      resourcesListChanged: true,
    });
    const session = await openSession(at(gateway), gateway.keys['alice'] ?? '');
    const stream = await openStream(at(gateway), session);
    closing.push(() => stream.stop());
    const answer = await ask(at(gateway), session, 'resources/subscribe', { uri: 'note://one' });
    expect(answer.json?.error).toMatchObject({ message: expect.stringContaining('does not tell of changes') });
  });
});

describe('a legacy session', () => {
  test('is told of what it subscribed to, before its stream was open or after, and until it unsubscribes', async () => {
    const server = await telling();
    const gateway = await started(shared(server));
    const url = at(gateway);
    const session = await openSession(url, gateway.keys['alice'] ?? '');
    await ask(url, session, 'resources/subscribe', { uri: 'note://one' });
    const stream = await openStream(url, session);
    closing.push(() => stream.stop());
    await ask(url, session, 'resources/subscribe', { uri: 'note://two' });
    for (const uri of ['note://one', 'note://two']) {
      server.touch(uri);
      await hears(stream, `${UPDATED} ${uri}`);
    }
    await ask(url, session, 'resources/unsubscribe', { uri: 'note://one' });
    await until('one subscription less', () => server.listening().flat().join() === 'note://two');
  });

  test('that lost its stream comes back to what it missed and to the rest, in its old place', async () => {
    const server = await telling();
    const gateway = await started(shared(server), ['requests: { maxStreamsPerPrincipal: 1 }']);
    const url = at(gateway);
    const session = await openSession(url, gateway.keys['alice'] ?? '');
    for (const uri of ['note://one', 'note://two']) await ask(url, session, 'resources/subscribe', { uri });
    const first = await openStream(url, session);
    server.touch('note://one');
    await hears(first, `${UPDATED} note://one`);
    first.stop();
    await first.ended;
    server.touch('note://two');
    const second = await openStream(url, session, first.lastEventId());
    await hears(second, `${UPDATED} note://two`);
    server.touch('note://one');
    await hears(second, `${UPDATED} note://one`);
    expect(second.heard()).toEqual([`${UPDATED} note://two`, `${UPDATED} note://one`]);
    // Whoever does not come back to it opens another one in its place.
    second.stop();
    const third = await until('a new stream', async () => {
      const stream = await openStream(url, session);
      return stream.status === 200 ? stream : undefined;
    });
    closing.push(() => third.stop());
    server.touch('note://one');
    await hears(third, `${UPDATED} note://one`);
  });

  test('that is away gives its place to another of the same person where there is no other', async () => {
    const server = await telling();
    const gateway = await started(shared(server), ['requests: { maxStreamsPerPrincipal: 1 }']);
    const url = at(gateway);
    const session = await openSession(url, gateway.keys['alice'] ?? '');
    await ask(url, session, 'resources/subscribe', { uri: 'note://one' });
    const first = await openStream(url, session);
    server.touch('note://one');
    await hears(first, `${UPDATED} note://one`);
    const other = await openSession(url, gateway.keys['alice'] ?? '');
    expect((await openStream(url, other)).status).toBe(429);
    first.stop();
    await first.ended;
    const second = await until('the place', async () => {
      const stream = await openStream(url, other);
      return stream.status === 200 ? stream : undefined;
    });
    closing.push(() => second.stop());
    expect((await openStream(url, session, first.lastEventId())).status).toBe(429);
  });

  test('that was away for too long gets a new stream, and is told once of all that it may have missed', async () => {
    const server = await telling();
    const gateway = await started(shared(server), ['resumption: { away: 10ms }']);
    const url = at(gateway);
    const session = await openSession(url, gateway.keys['alice'] ?? '');
    await ask(url, session, 'resources/subscribe', { uri: 'note://one' });
    const first = await openStream(url, session);
    await until('the first event', () => first.lastEventId() !== undefined);
    first.stop();
    await until('nobody to listen', () => !server.listening().flat().includes('note://one'));
    const second = await openStream(url, session, first.lastEventId());
    closing.push(() => second.stop());
    await hears(second, `${UPDATED} note://one`);
    expect(second.heard()).toEqual([
      'notifications/tools/list_changed',
      'notifications/resources/list_changed',
      `${UPDATED} note://one`,
    ]);
    // Another session has nothing of it: it gets a stream of its own.
    const bobs = await openSession(url, gateway.keys['bob'] ?? '');
    const stream = await openStream(url, bobs, second.lastEventId());
    closing.push(() => stream.stop());
    await until('the first event', () => stream.lastEventId() !== undefined);
    expect(stream.lastEventId()?.split('~')[0]).not.toBe(second.lastEventId()?.split('~')[0]);
  });

  test('cannot subscribe to what its caller may not read', async () => {
    writeFileSync(path.join(folder, 'bob.cedar'), NOT_FOR_BOB);
    const gateway = await started(shared(await telling()));
    const session = await openSession(at(gateway), gateway.keys['bob'] ?? '');
    const answer = await ask(at(gateway), session, 'resources/subscribe', { uri: 'note://one' });
    expect(answer.json?.error).toMatchObject({ code: -32_002 });
  });
});

describe('bounds', () => {
  test('of resources and of streams are told clearly', async () => {
    const gateway = await started(shared(await telling()), [
      'subscriptions: { maxResources: 1 }',
      'requests: { maxStreamsPerPrincipal: 1 }',
    ]);
    const two = { resourceSubscriptions: ['note://one', 'note://two'] };
    const many = await listen(at(gateway), gateway.keys['alice'] ?? '', two);
    await many.ended;
    expect(many.messages[0]?.error?.message).toContain('at most 1 resources');
    await listening(gateway, 'alice');
    const second = await listen(at(gateway), gateway.keys['alice'] ?? '', ALL);
    expect(second.status).toBe(429);
    const session = await openSession(at(gateway), gateway.keys['bob'] ?? '');
    await ask(at(gateway), session, 'resources/subscribe', { uri: 'note://one' });
    const third = await ask(at(gateway), session, 'resources/subscribe', { uri: 'note://two' });
    expect(third.json?.error).toMatchObject({ message: expect.stringContaining('too many subscriptions') });
  });

  test('when the gateway drains, a subscription ends with its result', async () => {
    const gateway = await started(shared(await telling()));
    const alice = await listening(gateway, 'alice');
    await gateway.gateway.close(1000);
    await alice.ended;
    expect(alice.messages.at(-1)?.result).toMatchObject({ resultType: 'complete' });
  });

  test('a listen request is on record like any other, and refused without a credential', async () => {
    const gateway = await started(shared(await telling()));
    await listening(gateway, 'alice');
    const refused = await listen(at(gateway), 'wrong', ALL);
    expect(refused.status).toBe(401);
    await until('the record', () =>
      gateway
        .records()
        .some(({ api }) => (api as { operation?: string } | undefined)?.operation === 'subscriptions/listen'),
    );
  });
});
