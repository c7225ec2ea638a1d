/** Where what has to be remembered is kept: `sqlite:./file`, `postgres://…`, `memory:`, or a reference to one of them. */

import { err, ok } from '../model/result.ts';
import type { Result } from '../model/result.ts';
import type { StorageConfig } from './config.ts';
import { parseValue } from './references.ts';

/** For editors. */
export const STORAGE_URL =
  /^(?:sqlite:.+|postgres(?:ql)?:\/\/.*|memory:|env:[A-Za-z_][A-Za-z0-9_]*|(?:file|exec|vault|aws-sm):.+)$/;

const WANTED =
  'is no place to keep things. Write sqlite:./data/sallyport.db, postgres://user@host/database, memory:, ' +
  'env:DATABASE_URL, file:/path/to/a/url or another reference to a URL.';

/** Relative paths stay as they are. The reason never quotes the text: it may hold a password. */
export function parseStorageUrl(written: string): Result<StorageConfig, string> {
  const text = written.trim();
  if (text === 'memory:') return ok({ kind: 'memory' });
  if (text.startsWith('sqlite:')) return sqlite(text.slice('sqlite:'.length));
  if (/^postgres(?:ql)?:\/\//.test(text)) return ok({ kind: 'postgres', url: text });
  const reference = parseValue(text);
  if (reference === undefined || reference.kind === 'literal' || reference.prefix !== '') return err(WANTED);
  return ok({ kind: 'reference', source: reference });
}

function sqlite(file: string): Result<StorageConfig, string> {
  if (file === ':memory:') return err('is spelled memory: here.');
  // sqlite://folder/file would mean the host "folder" anywhere else, and a folder of the root here.
  if (file === '' || /^\/\/(?!\/)/.test(file))
    return err('needs a path: sqlite:./data/sallyport.db or sqlite:/var/lib/x.db.');
  return ok({ kind: 'sqlite', file: file.replace(/^\/{3}/, '/') });
}
