/**
 * The rules of ARCHITECTURE.md as data, checked against the sources. A failure names the file and the rule; when the
 * architecture should change, change the table here and the page together.
 */

import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, it } from 'vitest';

import { folderOf, listOwnFiles, readSources, ROOT } from './source-tree.ts';
import type { Import, SourceFile } from './source-tree.ts';

type Row = {
  /** Folders whose code it may use. */
  readonly code: readonly string[];
  /** Folders of which it may use types only. */
  readonly types?: readonly string[];
};

const CAPABILITIES = ['authn', 'authz', 'catalog', 'quota', 'guard', 'credential', 'audit'];
const EVERYTHING = ['*'];

const MAY_IMPORT: Readonly<Record<string, Row>> = {
  model: { code: [] },
  protocol: { code: ['model'] },
  telemetry: { code: ['model'] },
  seal: { code: ['model'] },
  egress: { code: ['model', 'telemetry'] },
  authn: { code: ['model', 'telemetry', 'egress'] },
  authz: { code: ['model', 'telemetry', 'egress'] },
  catalog: { code: ['model', 'telemetry', 'egress'] },
  quota: { code: ['model', 'telemetry', 'egress'] },
  guard: { code: ['model', 'telemetry', 'egress'] },
  credential: { code: ['model', 'telemetry', 'egress'] },
  audit: { code: ['model', 'telemetry', 'egress'] },
  upstream: { code: ['model', 'telemetry', 'protocol', 'egress'], types: ['credential'] },
  pipeline: { code: ['model', 'telemetry'], types: CAPABILITIES },
  entrypoint: {
    code: ['model', 'telemetry', 'protocol', 'seal', 'authn'],
    types: ['pipeline', 'authz', 'credential'],
  },
  // Adapters share the SQL of `storage/sql`, and know nothing of each other.
  'storage/rules': { code: ['model'], types: ['authz', 'credential'] },
  'storage/sql': {
    code: ['model', 'telemetry', 'storage/rules'],
    types: ['authn', 'authz', 'audit', 'entrypoint', 'credential'],
  },
  'storage/memory': { code: ['model', 'storage/rules'], types: ['authn', 'authz', 'audit', 'credential'] },
  'storage/sqlite': { code: ['model', 'telemetry', 'storage/sql'] },
  'storage/postgres': { code: ['model', 'telemetry', 'storage/sql'] },
  config: { code: ['model'] },
  cli: { code: EVERYTHING },
  dev: { code: EVERYTHING },
  composition: { code: EVERYTHING },
  'gateway.ts': { code: EVERYTHING },
  'main.ts': { code: ['cli', 'config'] },
};

/** Each third-party package has one home; an exception stands here with its reason. */
const HOMES: Readonly<Record<string, readonly string[]>> = {
  '@cedar-policy/cedar-wasm': ['authz'],
  '@opentelemetry/api': ['telemetry'],
  '@opentelemetry/exporter-metrics-otlp-http': ['telemetry'],
  '@opentelemetry/exporter-prometheus': ['telemetry'],
  '@opentelemetry/exporter-trace-otlp-http': ['telemetry'],
  '@opentelemetry/resources': ['telemetry'],
  '@opentelemetry/sdk-metrics': ['telemetry'],
  '@opentelemetry/sdk-trace': ['telemetry'],
  '@secretlint/core': ['guard'],
  '@secretlint/secretlint-rule-preset-recommend': ['guard'],
  'better-sqlite3': ['storage'],
  commander: ['cli'],
  jose: ['authn'],
  kysely: ['storage'],
  'libpg-query': ['authz'],
  'node-sql-parser': ['authz'],
  // `sallyport connect` is itself a client of an identity provider, and so is the gateway of its servers'.
  'openid-client': ['authn', 'cli', 'credential'],
  pg: ['storage'],
  pino: ['telemetry'],
  re2js: ['guard'],
  typebox: ['guard'],
  undici: ['egress'],
  yaml: ['config'],
  zod: ['config'],
};

/** What only the demo uses, and the product does not depend on: packages of the checkout, loaded when the demo starts. */
const DEV_ONLY = ['oidc-provider'];

/** Folders that call no clock, no randomness, no environment and nothing of Node: all of it comes in as parameters. */
const PURE = new Set(['model', 'protocol', 'pipeline']);
const IMPURE_CALLS =
  /\b(?:Date\.now|new Date\(\s*\)|performance\.now|Math\.random|process\.|crypto\.|setTimeout\(|setInterval\(|setImmediate\()/;

const EXPOSE_HOMES = new Set(['authn', 'credential', 'upstream', 'egress', 'seal', 'storage']);

/** Shows a new key to its owner, once. */
const SHOWS_NEW_KEYS = 'cli/key-create.ts';
const MAX_LINES = 400;

const sources = readSources();
const production = sources.filter((source) => !source.isTest);
const byFile = new Map(sources.map((source) => [source.file, source]));

/** What breaks a rule, as lines that a person can act on. */
function breaches(rule: (source: SourceFile) => readonly string[]): readonly string[] {
  return production.flatMap((source) => rule(source).map((what) => `${source.file}: ${what}`));
}

const homeFolder = (source: SourceFile): string => source.folder.split('/')[0] ?? source.folder;

describe('what may import what', () => {
  it('is decided for every folder', () => {
    const unknown = [...new Set(production.map((source) => source.folder))].filter((name) => !(name in MAY_IMPORT));
    expect(unknown).toEqual([]);
  });

  it('is kept', () => {
    expect(breaches((source) => source.imports.flatMap((one) => forbidden(source, one) ?? []))).toEqual([]);
  });

  it('leaves no cycle between files', () => {
    expect(findCycles(production)).toEqual([]);
  });

  it('gives the revisions of the protocol one importer, and lets them share nothing', () => {
    const revision = (file: string): string | undefined => /^protocol\/(rev-[^/]+)\//.exec(file)?.[1];
    expect(
      breaches((source) =>
        source.imports.flatMap(({ file }) => {
          const of = file === undefined ? undefined : revision(file);
          if (of === undefined || of === revision(source.file) || source.file === 'protocol/codecs.ts') return [];
          return [`only protocol/codecs.ts may import ${file}`];
        }),
      ),
    ).toEqual([]);
  });

  it('keeps every third-party package in its home', () => {
    expect(
      breaches((source) =>
        source.imports.flatMap(({ packageName }) => {
          if (packageName === undefined || packageName.startsWith('node:')) return [];
          const homes = DEV_ONLY.includes(packageName) ? ['dev'] : HOMES[packageName];
          if (homes === undefined) return [`${packageName} has no home in this test`];
          return homes.includes(homeFolder(source)) ? [] : [`${packageName} belongs to ${homes.join(', ')}`];
        }),
      ),
    ).toEqual([]);
  });

  it('names a home for exactly the packages that the gateway depends on', () => {
    const text = readFileSync(path.join(ROOT, 'packages', 'gateway', 'package.json'), 'utf8');
    const manifest = JSON.parse(text) as { dependencies: Readonly<Record<string, string>> };
    expect(Object.keys(HOMES).toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted());
  });
});

describe('what only the demo needs', () => {
  it('is no dependency of the product, and a development dependency of the workspace', () => {
    const text = readFileSync(path.join(ROOT, 'package.json'), 'utf8');
    const { devDependencies } = JSON.parse(text) as { devDependencies: Readonly<Record<string, string>> };
    expect(DEV_ONLY.filter((name) => name in HOMES || !(name in devDependencies))).toEqual([]);
  });

  it('is loaded when the demo starts, and never with the program', () => {
    const loaded = /^(?:import|export)\s(?!type\b)[^;]*?from\s*'([^']+)'/gm;
    expect(
      breaches(({ code, file }) =>
        file.endsWith('.d.ts')
          ? []
          : [...code.matchAll(loaded)]
              .map(([, specifier = '']) => specifier)
              .filter((specifier) => DEV_ONLY.some((name) => specifier === name || specifier.startsWith(`${name}/`))),
      ),
    ).toEqual([]);
  });
});

describe('pure folders', () => {
  it('use nothing of Node', () => {
    expect(
      breaches((source) =>
        PURE.has(source.folder)
          ? source.imports.flatMap(({ packageName }) => (packageName?.startsWith('node:') ? [packageName] : []))
          : [],
      ),
    ).toEqual([]);
  });

  it('call no clock, no timer, no randomness and no environment', () => {
    expect(
      breaches((source) => {
        const call = PURE.has(source.folder) ? IMPURE_CALLS.exec(source.code)?.[0] : undefined;
        return call === undefined ? [] : [call];
      }),
    ).toEqual([]);
  });
});

describe('what only one place may do', () => {
  it('read the environment: config/load.ts', () => {
    expect(
      breaches(({ file, code }) => (/\bprocess\.env\b/.test(code) && file !== 'config/load.ts' ? ['process.env'] : [])),
    ).toEqual([]);
  });

  it('look at a secret: the folders that send, check or seal it', () => {
    expect(
      breaches((source) =>
        /\.expose\(\)/.test(source.code) && !EXPOSE_HOMES.has(homeFolder(source)) && source.file !== SHOWS_NEW_KEYS
          ? ['Secret.expose()']
          : [],
      ),
    ).toEqual([]);
  });

  it.each([
    ['Permit', 'authz/permit.ts'],
    ['Intent', 'audit/intent.ts'],
  ])('make a %s: %s', (name, home) => {
    const cast = new RegExp(`\\bas\\s+(?:readonly\\s+)?${name}\\b`);
    expect(breaches(({ file, code }) => (cast.test(code) && file !== home ? [`makes a ${name}`] : []))).toEqual([]);
    expect(byFile.has(home), `${home} is there`).toBe(true);
  });

  it.each([
    ['mintPermit', ['authz']],
    // The composition root makes the intents of system permits: catalog refreshes and probes, which nobody asked for.
    ['makeIntent', ['audit', 'composition']],
  ])('call %s: %s', (name, homes) => {
    const word = new RegExp(`\\b${name}\\b`);
    expect(breaches((source) => (word.test(source.code) && !homes.includes(source.folder) ? [name] : []))).toEqual([]);
  });

  it('cast by way of unknown, any or never: the makers of permits and intents', () => {
    const laundering = /\bas\s+(?:unknown\s+as\s|(?:any|never)\s*[;,)\]}])/;
    const homes = new Set(['authz/permit.ts', 'audit/intent.ts']);
    expect(
      breaches(({ file, code }) => (laundering.test(code) && !homes.has(file) ? ['a cast that hides a type'] : [])),
    ).toEqual([]);
  });
});

describe('every file', () => {
  it('stays below the limit of lines', () => {
    const long = listOwnFiles()
      .map((file) => [path.relative(ROOT, file), readFileSync(file, 'utf8').split('\n').length - 1] as const)
      .filter(([, lines]) => lines > MAX_LINES);
    expect(long).toEqual([]);
  });

  it('opens with what it is for', () => {
    expect(
      breaches(({ text }) => (/^(?:#!.*\n)?(?:(?:\/\*\*|\/\/) ?\S|\/\*\*\n)/.test(text) ? [] : ['no opening comment'])),
    ).toEqual([]);
  });

  it('is no barrel', () => {
    expect(
      breaches(({ file, code }) => {
        if (path.posix.basename(file) === 'index.ts') return ['index.ts'];
        const rest = code.replaceAll(/^export\s+(?:type\s+)?(?:\*|\{)[^;]*?from[^;]*;/gm, '').trim();
        return rest === '' ? ['only passes on what others export'] : [];
      }),
    ).toEqual([]);
  });

  it('writes to no console', () => {
    expect(breaches(({ code }) => (/\bconsole\.\w+\(/.test(code) ? ['console'] : []))).toEqual([]);
  });
});

/** Why an import is not allowed, or undefined. */
function forbidden(source: SourceFile, { file, typeOnly, specifier }: Import): string | undefined {
  if (file === undefined) return undefined;
  if (!byFile.has(file)) return `${specifier} does not exist`;
  if (byFile.get(file)?.isTest === true) return `${specifier} is for tests`;
  const target = folderOf(file);
  const row = MAY_IMPORT[source.folder];
  if (target === source.folder || row === undefined) return undefined;
  if (row.code.includes('*') || row.code.includes(target)) return undefined;
  if (row.types?.includes(target) === true) return typeOnly ? undefined : `only types of ${target}: ${specifier}`;
  return `${source.folder} may not import ${target}: ${specifier}`;
}

/** Cycles by depth-first search, each once, as `a -> b -> a`. */
function findCycles(files: readonly SourceFile[]): readonly string[] {
  const done = new Set<string>();
  const open: string[] = [];
  const cycles: string[] = [];
  const visit = (file: string): void => {
    const start = open.indexOf(file);
    if (start !== -1) cycles.push([...open.slice(start), file].join(' -> '));
    if (start !== -1 || done.has(file)) return;
    open.push(file);
    // Two files of one folder may name each other's types: one of them is the folder's port.
    for (const { file: next, typeOnly } of byFile.get(file)?.imports ?? []) {
      if (next !== undefined && !(typeOnly && folderOf(next) === folderOf(file))) visit(next);
    }
    open.pop();
    done.add(file);
  };
  for (const { file } of files) visit(file);
  return cycles;
}
