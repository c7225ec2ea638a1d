import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { newApproval } from '../authz/approval-store.contract.ts';
import { loadConfig } from '../config/load.ts';
import { loadKeyRing } from '../seal/key-ring.ts';
import { collectedLog } from '../storage/sql/fixtures/collected-log.ts';
import { composeSecrets } from './secrets.ts';
import { openStorage, StorageConfigError } from './storage.ts';

const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-storage-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function open(url: string, env: Record<string, string> = {}, ringFile = 'keys.json') {
  const file = path.join(folder, 'sallyport.yaml');
  writeFileSync(file, `storage: { url: "${url}" }\n`);
  const loaded = loadConfig(file, { env });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.error));
  const { logger, lines } = collectedLog();
  const ring = await loadKeyRing({ file: path.join(folder, ringFile), randomBytes });
  const { config } = loaded.value;
  return {
    lines,
    storage: await openStorage({ config, secrets: composeSecrets({ config, env, logger }), logger }, ring),
  };
}

describe('the storage of a gateway', () => {
  it('keeps approvals sealed under its key ring, across a restart', async () => {
    const approval = newApproval({ expiresAtMs: Date.now() + 60_000 });
    const { storage } = await open('sqlite:./a.db');
    await storage.approvals.open(approval);
    await storage.close();
    expect(readFileSync(path.join(folder, 'a.db')).toString('latin1')).not.toMatch(/geheim|write_file|alice/u);
    const after = await open('sqlite:./a.db');
    expect(await after.storage.approvals.get(approval.tenant, approval.id)).toEqual(approval);
    await after.storage.close();
    const stranger = await open('sqlite:./a.db', {}, 'other-keys.json');
    expect(await stranger.storage.approvals.get(approval.tenant, approval.id)).toBeUndefined();
    await stranger.storage.close();
  });

  it('writes the last uses of keys when it closes', async () => {
    const key = { id: '1', tenant: 't', name: 'n', hash: 'h', hint: 'sp_', groups: [], createdAtMs: 1 };
    const { storage } = await open('sqlite:./uses.db');
    await storage.apiKeys.create(key);
    storage.noteUse('1', 123);
    await storage.close();
    const after = await open('sqlite:./uses.db');
    expect(await after.storage.apiKeys.list()).toEqual([{ ...key, lastUsedAtMs: 123 }]);
    await after.storage.close();
  });

  it('in memory says that nothing survives', async () => {
    const { lines, storage } = await open('memory:');
    expect(lines.join()).toContain('end with this process');
    await storage.close();
  });

  it('starts without a database that is away, and says so', async () => {
    const { lines, storage } = await open('env:URL', { URL: 'postgres://app:hunter2@127.0.0.1:1/x' });
    expect(lines.join()).toContain('started without its database');
    expect(lines.join()).not.toContain('hunter2');
    expect(storage.away()).toContain('ECONNREFUSED');
    await expect(storage.apiKeys.list()).rejects.toThrow('PostgreSQL at 127.0.0.1:1/x');
    await storage.close();
  });

  it.each([
    ['is not set', {}, 'URL is not set'],
    ['holds no place', { URL: 'mysql://app:hunter2@db/x' }, 'what env:URL holds is no place'],
    ['holds another reference', { URL: 'env:OTHER' }, 'another reference'],
    ['holds a URL that cannot be used', { URL: 'postgres://app:hunter2@db/x?sslmode=perhaps' }, 'sslmode=perhaps'],
  ])('does not start when its reference %s', async (_, env, message) => {
    const failure = await open('env:URL', env).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(StorageConfigError);
    expect(String(failure)).toContain(message);
    expect(String(failure)).not.toContain('hunter2');
  });
});
