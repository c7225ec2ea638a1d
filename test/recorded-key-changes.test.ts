/** Changes of API keys by the command line, and two gateways on one database: one of their records has each of them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';
import { until } from './harness/until.ts';

let folder: string;
const gateways: TestGateway[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'sallyport-key-changes-'));
});
afterEach(async () => {
  for (const gateway of gateways.splice(0)) await gateway.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<TestGateway> {
  const gateway = await startTestGateway({ yaml: `storage: { url: "sqlite:${folder}/shared.db" }` });
  gateways.push(gateway);
  return gateway;
}

type Change = { readonly entity?: { readonly name: string }; readonly unmapped: { readonly operation?: string } };

const changesIn = (gateway: TestGateway): readonly string[] =>
  (gateway.records() as unknown as readonly Change[]).flatMap(({ entity, unmapped }) =>
    unmapped.operation?.startsWith('key/') === true ? [`${unmapped.operation} ${entity?.name ?? ''}`] : [],
  );

const key = async ({ directory }: TestGateway, ...args: readonly string[]): Promise<void> => {
  const ended = await sallyport(['key', ...args, '--config', path.join(directory, 'sallyport.yaml')]);
  expect(ended.code, ended.err).toBe(0);
};

test('each change is in the record of one gateway, and in no other', async () => {
  const [one, other] = [await start(), await start()];
  const names = Array.from({ length: 6 }, (_, index) => `user-${index}`);
  for (const [index, name] of names.entries()) await key(index % 2 === 0 ? one : other, 'create', name);
  await key(one, 'revoke', 'user-3');
  await key(other, 'expire', 'user-4');
  const wanted = [...names.map((name) => `key/create ${name}`), 'key/revoke user-3', 'key/expire user-4'].toSorted();
  const recorded = (): readonly string[] => [one, other].flatMap(changesIn).toSorted();
  await until('all of them', () => recorded().length >= wanted.length);
  for (const gateway of [one, other]) await gateway.gateway.close(1_000);
  expect(recorded()).toEqual(wanted);
}, 40_000);

test('a change that was made while no gateway ran is recorded at the next start, once', async () => {
  const before = await start();
  await before.gateway.close(1_000);
  await key(before, 'create', 'carol');
  const after = await start();
  await until('the change', () => changesIn(after).length > 0);
  const later = await start();
  for (const gateway of [after, later]) await gateway.gateway.close(1_000);
  expect([after, later].map(changesIn)).toEqual([['key/create carol'], []]);
}, 40_000);
