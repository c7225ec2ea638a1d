/** Reads the gateway's sources for the architecture test: files, their imports, and their text without comments. */

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

export const ROOT = path.resolve(import.meta.dirname, '..');
const SOURCE = path.join(ROOT, 'packages', 'gateway', 'src');

export type Import = {
  readonly specifier: string;
  /** `import type`: gone at run time. */
  readonly typeOnly: boolean;
  /** Path below `src`, for our own files. */
  readonly file?: string;
  /** Name of the package, for everyone else's. `node:fs` stays as it is. */
  readonly packageName?: string;
};

export type SourceFile = {
  /** Path below `src`: `authz/permit.ts`. */
  readonly file: string;
  /** `authz`; of `storage/x` both; of a file beside `main.ts` the file itself. */
  readonly folder: string;
  readonly text: string;
  /** Without comments; the strings stay. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly isTest: boolean;
};

/** Test files and what only they use. */
const TEST_FILE = /(?:\.(?:test|contract|long)\.ts$|[.-]fixtures?\.ts$|(?:^|\/)(?:fixtures|testing)(?:\/|\.ts$))/;

const IMPORT = /^(?:import|export)(?<type>\s+type)?\s*(?:[\w*{][^;'"]*?\sfrom\s*)?['"](?<from>[^'"\n]+)['"]/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*['"](?<from>[^'"\n]+)['"]/g;

/** Every `.ts` file of the gateway, in a stable order. */
export function readSources(): readonly SourceFile[] {
  return listFiles(SOURCE)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readSource(path.relative(SOURCE, file).split(path.sep).join('/')));
}

/** Every `.ts`, `.tsx` and `.mjs` file of the repository that people wrote. */
export function listOwnFiles(): readonly string[] {
  return ['packages', 'test', 'scripts', 'examples', 'bench', 'conformance']
    .flatMap((folder) => listFiles(path.join(ROOT, folder)))
    .filter((file) => /\.(?:ts|tsx|mjs)$/.test(file));
}

function readSource(file: string): SourceFile {
  const text = readFileSync(path.join(SOURCE, file), 'utf8');
  const code = withoutComments(text);
  const imports = [
    ...[...code.matchAll(IMPORT)].map((match) => readImport(file, match.groups?.['from'], match.groups?.['type'])),
    ...[...code.matchAll(DYNAMIC_IMPORT)].map((match) => readImport(file, match.groups?.['from'], undefined)),
  ];
  return { file, folder: folderOf(file), text, code, imports, isTest: TEST_FILE.test(file) };
}

function readImport(file: string, specifier = '', type: string | undefined): Import {
  const typeOnly = type !== undefined;
  if (specifier.startsWith('.')) {
    return { specifier, typeOnly, file: path.posix.join(path.posix.dirname(file), specifier) };
  }
  if (specifier.startsWith('node:')) return { specifier, typeOnly, packageName: specifier };
  const parts = specifier.split('/');
  return { specifier, typeOnly, packageName: parts.slice(0, specifier.startsWith('@') ? 2 : 1).join('/') };
}

/** The row of the import table that a file belongs to. */
export function folderOf(file: string): string {
  const parts = file.split('/');
  if (parts[0] === 'storage' && parts.length > 2) return `storage/${parts[1]}`;
  return parts.length === 1 ? file : (parts[0] ?? file);
}

function listFiles(folder: string): string[] {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries
    .filter((entry) => !['node_modules', 'dist', 'data', 'out'].includes(entry.name))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const file = path.join(folder, entry.name);
      return entry.isDirectory() ? listFiles(file) : [file];
    });
}

/** Good enough for formatted sources: comments inside strings do not survive, and nothing here looks into those. */
function withoutComments(text: string): string {
  return text.replaceAll(/\/\*[\s\S]*?\*\//g, ' ').replaceAll(/(^|[\s;{}(,])\/\/[^\n]*/g, '$1');
}
