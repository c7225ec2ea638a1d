/** The index as a sink. Its position is in the database, written with the records: a restart goes on exactly there. */

import { randomUUID } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';

import { isJsonObject } from '../../model/json.ts';
import type { AuditIndex } from './audit-index.ts';
import type { AuditSink } from './audit-sink.ts';

export type IndexSinkOptions = {
  readonly name: string;
  readonly index: AuditIndex;
  /** Holds the name under which this audit file's position is kept. Without it, everything is indexed again: harmless. */
  readonly sourceFile: string;
};

/** A transaction of a few milliseconds. */
const LIMITS = { maxRecords: 100, maxBytes: 1_048_576, lingerMs: 100 };

export function createIndexSink({ name, index, sourceFile }: IndexSinkOptions): AuditSink {
  let source: string | undefined;
  const named = async (): Promise<string> => (source ??= await sourceOf(sourceFile));
  return {
    name,
    limits: LIMITS,
    position: async () => index.position(await named()),
    async take({ records }) {
      const position = records.at(-1)?.position;
      if (position === undefined) return;
      await index.add(
        records.map(({ line }) => line),
        { source: await named(), position },
      );
    },
  };
}

/** A host's name changes with every container, and a path is the same in all of them: each audit file gets a name of its own. */
async function sourceOf(path: string): Promise<string> {
  const known = await readFile(path, 'utf8').then(parseSource, (error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (known !== undefined) return known;
  const source = randomUUID();
  const file = await open(path, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ source })}\n`);
    await file.datasync();
  } finally {
    await file.close();
  }
  return source;
}

function parseSource(text: string): string | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return isJsonObject(parsed) && typeof parsed.source === 'string' && parsed.source !== ''
      ? parsed.source
      : undefined;
  } catch {
    return undefined;
  }
}
