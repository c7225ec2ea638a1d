/**
 * What the identity provider remembers, bounded: in memory, and in one private file where a restart should go unnoticed
 * (a client that was registered, and whoever is logged in, stays so).
 */

import { readFileSync, renameSync, writeFileSync } from 'node:fs';

import type { Adapter, AdapterPayload } from 'oidc-provider';

import { isJsonObject } from '../../model/json.ts';

export type IdentityStore = {
  adapter(model: string): Adapter;
  /** Writes what is not written yet. */
  close(): void;
};

type Kept = { readonly payload: AdapterPayload; readonly expiresAtMs: number | undefined };
type Table = Map<string, Kept>;

/** Of each kind: the oldest make room. A demo has a handful. */
const MAX_RECORDS = 500;

/** What outlives the process. Codes and half-finished log-ins live for minutes and are better forgotten. */
const PERSISTENT: ReadonlySet<string> = new Set(['Client', 'Grant', 'RefreshToken', 'Session']);

const WRITE_DELAY_MS = 200;
const MAX_FILE_BYTES = 8 * 1024 * 1024;

/** @param file Absent: memory only. A file that cannot be understood is as good as none. */
export function createIdentityStore(file?: string): IdentityStore {
  const tables = new Map<string, Table>(file === undefined ? [] : readTables(file));
  let timer: NodeJS.Timeout | undefined;

  const write = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (file === undefined) return;
    const kept = [...tables].filter(([model]) => PERSISTENT.has(model)).map(([model, table]) => [model, [...table]]);
    // Written beside and moved over it: whoever reads, now or after a crash, finds a whole file.
    const beside = `${file}.new`;
    writeFileSync(beside, JSON.stringify(Object.fromEntries(kept)), { mode: 0o600 });
    renameSync(beside, file);
  };
  const changed = (model: string): void => {
    if (file !== undefined && PERSISTENT.has(model)) timer ??= setTimeout(write, WRITE_DELAY_MS);
  };

  const tableOf = (model: string): Table => {
    let table = tables.get(model);
    if (table === undefined) tables.set(model, (table = new Map()));
    return table;
  };

  return {
    adapter: (model) => createAdapter(tableOf(model), () => changed(model), tables),
    close: () => {
      if (timer !== undefined) write();
    },
  };
}

function createAdapter(table: Table, changed: () => void, tables: ReadonlyMap<string, Table>): Adapter {
  const live = (id: string): AdapterPayload | undefined => {
    const kept = table.get(id);
    if (kept === undefined || !isOver(kept)) return kept?.payload;
    table.delete(id);
    return undefined;
  };
  const findWhere = (matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined => {
    for (const kept of table.values()) if (matches(kept.payload) && !isOver(kept)) return kept.payload;
    return undefined;
  };
  return {
    async upsert(id, payload, expiresInSeconds) {
      table.delete(id);
      makeRoom(table);
      const expiresAtMs = expiresInSeconds === undefined ? undefined : Date.now() + expiresInSeconds * 1000;
      table.set(id, { payload, expiresAtMs });
      changed();
    },
    find: async (id) => live(id),
    findByUid: async (uid) => findWhere((payload) => payload.uid === uid),
    findByUserCode: async (userCode) => findWhere((payload) => payload.userCode === userCode),
    async consume(id) {
      const payload = live(id);
      if (payload === undefined) return;
      payload.consumed = Math.floor(Date.now() / 1000);
      changed();
    },
    async destroy(id) {
      if (table.delete(id)) changed();
    },
    async revokeByGrantId(grantId) {
      for (const records of tables.values()) {
        for (const [id, { payload }] of records) if (payload.grantId === grantId) records.delete(id);
      }
      changed();
    },
  };
}

const isOver = ({ expiresAtMs }: Kept): boolean => expiresAtMs !== undefined && expiresAtMs <= Date.now();

function makeRoom(table: Table): void {
  if (table.size < MAX_RECORDS) return;
  for (const [id, kept] of table) if (isOver(kept)) table.delete(id);
  for (const id of table.keys()) {
    if (table.size < MAX_RECORDS) return;
    table.delete(id);
  }
}

function readTables(file: string): [model: string, table: Table][] {
  let value: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    value = text.length > MAX_FILE_BYTES ? undefined : JSON.parse(text);
  } catch {
    return [];
  }
  if (!isJsonObject(value)) return [];
  return Object.entries(value)
    .filter(([model]) => PERSISTENT.has(model))
    .map(([model, records]) => [model, readTable(records)]);
}

function readTable(records: unknown): Table {
  const table: Table = new Map();
  for (const record of Array.isArray(records) ? records.slice(0, MAX_RECORDS) : []) {
    const [id, kept]: unknown[] = Array.isArray(record) ? record : [];
    if (typeof id !== 'string' || !isJsonObject(kept) || !isJsonObject(kept['payload'])) continue;
    const { payload, expiresAtMs } = kept;
    table.set(id, { payload: { ...payload }, expiresAtMs: typeof expiresAtMs === 'number' ? expiresAtMs : undefined });
  }
  return table;
}
