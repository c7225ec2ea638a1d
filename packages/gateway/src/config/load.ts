/**
 * Reads `sallyport.yaml`: file, policies and environment in, one checked configuration or every problem at once out.
 * The only place that reads the environment. References to secrets are not followed here: `credential` does, when a
 * server needs them, so that a missing one disables that server alone.
 */

import path from 'node:path';
import process from 'node:process';

import { err, ok } from '../model/result.ts';
import type { Result } from '../model/result.ts';
import { compileConfig } from './compile.ts';
import type { Config } from './config.ts';
import type { DisabledServer } from './server-config.ts';
import { parseConfigDocument } from './document.ts';
import type { ConfigDocument } from './document.ts';
import { explainIssues, problemAt } from './explain.ts';
import { unusableFallbacks } from './fallbacks.ts';
import { findLiteralSecrets } from './literal-secrets.ts';
import { configuredStores } from './secrets-schema.ts';
import { findUnknownStores, type KnownStores } from './unknown-stores.ts';
import { isFatal } from './problem.ts';
import type { ConfigProblem } from './problem.ts';
import { isKeyHash } from './identity-schema.ts';
import { readPolicies, readText } from './policy-sources.ts';
import { looseFileSchema } from './schema.ts';
import type { ParsedFile } from './schema.ts';
import { SERVER_ID, serverSchema } from './server-schema.ts';
import type { ParsedServer } from './server-schema.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type LoadedConfig = {
  /** The file it was read from, absolute. */
  readonly file: string;
  readonly config: Config;
  /** What is wrong but keeps nothing else from working. */
  readonly problems: readonly ConfigProblem[];
  /** What `env:NAME` references are looked up in, and what child processes inherit from. */
  readonly env: Environment;
  /** Settings of the command line, for whoever reads the file again. */
  readonly overrides: Overrides;
};

export type LoadOptions = {
  /** Default: the process's own. */
  readonly env?: Environment;
  /** Settings from the command line; they win over the file and the environment. */
  readonly overrides?: Overrides;
  /** Makes a configuration of a file that holds more, or less, than one: policy tests bring servers of their own. */
  readonly reshape?: (value: unknown) => unknown;
};

type Overrides = { readonly listen?: string; readonly operations?: string };

/** Variables that stand in for a setting, for containers whose file is baked in. */
const VARIABLES = {
  SALLYPORT_LISTEN: ['listen'],
  SALLYPORT_PUBLIC_URL: ['publicUrl'],
  SALLYPORT_OPERATIONS: ['operations'],
  SALLYPORT_REPLICA: ['replicas', 'self'],
  SALLYPORT_LOG_LEVEL: ['log', 'level'],
  SALLYPORT_LOG_FORMAT: ['log', 'format'],
} as const;

/** The environment of this process. */
export const readEnvironment = (): Environment => process.env;

/** Never throws for what the file says. Problems come in the order of the file. */
export function loadConfig(file: string, options: LoadOptions = {}): Result<LoadedConfig, readonly ConfigProblem[]> {
  const env = options.env ?? readEnvironment();
  const read = readText(file);
  if (!read.ok) return err([wholeFile(file, read.error, 'Name another file with --config <file>.')]);
  const document = parseConfigDocument(read.value);
  if (document.faults.length > 0) {
    return err(document.faults.map(({ place, message }) => ({ file, ...place, path: '', message })));
  }

  const problems: ConfigProblem[] = [];
  const reshape = options.reshape ?? ((value: unknown): unknown => value);
  const parsed = parseFile(file, document, applyOverrides(reshape(document.value), env, options.overrides ?? {}));
  problems.push(...parsed.problems);
  const stores = configuredStores(parsed.file?.secrets);
  const servers = parseServers(file, document, { raw: parsed.rawServers, stores });
  problems.push(...servers.problems);
  const directory = path.dirname(path.resolve(file));
  const policies = readPolicies(parsed.file?.policies ?? [], { file, document, directory });
  problems.push(...policies.problems);
  problems.sort((one, other) => one.line - other.line || one.column - other.column);

  if (parsed.file === undefined || problems.some(isFatal)) return err(problems);
  const config = compileConfig({
    file: parsed.file,
    servers: servers.accepted,
    disabledServers: servers.disabled,
    policies: policies.sources,
    directory,
  });
  return ok({ file: path.resolve(file), config, problems, env, overrides: options.overrides ?? {} });
}

type ParsedTop = {
  readonly file: ParsedFile | undefined;
  readonly rawServers: Readonly<Record<string, unknown>>;
  readonly problems: readonly ConfigProblem[];
};

/** Everything but the inside of `servers`. */
function parseFile(file: string, document: ConfigDocument, value: unknown): ParsedTop {
  const context = { file, document, base: [], schema: looseFileSchema };
  const parsed = looseFileSchema.safeParse(value ?? {});
  const raw = isRecord(value) ? value : {};
  const { servers, ...rest } = raw;
  const rawServers = isRecord(servers) ? servers : {};
  const problems = [
    ...(parsed.success ? [] : explainIssues(parsed.error.issues, context)),
    ...findLiteralSecrets(rest).map(({ path: at, finding }) => problemAt(at, finding, context)),
    // While the section itself is wrong, what it offers is not known.
    ...(parsed.success ? findUnknownStores(rest, configuredStores(parsed.data.secrets)) : []).map(
      ({ path: at, said }) => problemAt(at, said, context),
    ),
  ];
  for (const [index, key] of (parsed.data?.identity.apiKeys ?? []).entries()) {
    if (!isKeyHash(key.hash)) problems.push(unusableKey(key.name, index, context));
  }
  problems.push(...sameKeys(parsed.data?.identity.apiKeys ?? [], context));
  for (const [index, { server }] of (parsed.data?.limits ?? []).entries()) {
    if (server !== undefined && !Object.hasOwn(rawServers, server)) {
      problems.push(
        problemAt(['limits', index, 'server'], { message: `There is no server "${server}" in this file.` }, context),
      );
    }
  }
  return { file: parsed.data, rawServers, problems };
}

function unusableKey(name: string, index: number, context: { file: string; document: ConfigDocument }): ConfigProblem {
  const said = {
    message: 'is not a hash, so this key is left out. A hash is "sha256:" and 64 hexadecimal digits.',
    mend: `Type: npm run sallyport -- key create ${name} --print-config`,
  };
  return { ...problemAt(['identity', 'apiKeys', index, 'hash'], said, context), harmless: true };
}

/** Two keys with one hash, or one name within a tenant: whose call it was could not be told. */
function sameKeys(
  keys: ParsedFile['identity']['apiKeys'],
  context: { file: string; document: ConfigDocument },
): ConfigProblem[] {
  const seen = new Set<string>();
  return keys.flatMap((key, index) => {
    const marks = [`hash ${key.hash}`, `name ${JSON.stringify([key.tenant, key.name])}`].filter(
      (mark) => mark.startsWith('name') || isKeyHash(key.hash),
    );
    const twice = marks.find((mark) => seen.has(mark));
    for (const mark of marks) seen.add(mark);
    if (twice === undefined) return [];
    const part = twice.startsWith('hash') ? 'hash' : 'name';
    return [problemAt(['identity', 'apiKeys', index, part], { message: `is another key's ${part} as well.` }, context)];
  });
}

type ParsedServers = {
  readonly accepted: ReadonlyMap<string, ParsedServer>;
  readonly disabled: readonly DisabledServer[];
  readonly problems: readonly ConfigProblem[];
};

/** A server that is wrong disables only itself. */
function parseServers(
  file: string,
  document: ConfigDocument,
  { raw, stores }: { readonly raw: Readonly<Record<string, unknown>>; readonly stores: KnownStores },
): ParsedServers {
  const accepted = new Map<string, ParsedServer>();
  const disabled: DisabledServer[] = [];
  const problems: ConfigProblem[] = [];
  for (const [id, value] of Object.entries(raw)) {
    const base = ['servers', id];
    const context = { file, document, base, server: id, schema: serverSchema };
    const parsed = serverSchema.safeParse(value);
    const found = [
      ...(SERVER_ID.test(id) ? [] : [problemAt(base, BAD_ID, context)]),
      ...(parsed.success ? [] : explainIssues(parsed.error.issues, context)),
      ...findLiteralSecrets(value).map((secret) => problemAt([...base, ...secret.path], secret.finding, context)),
      ...findUnknownStores(value, stores).map(({ path: at, said }) => problemAt([...base, ...at], said, context)),
    ];
    const [first] = found;
    if (first === undefined && parsed.success) {
      accepted.set(id, parsed.data);
      for (const { path: at, message } of unusableFallbacks(id, parsed.data, Object.keys(raw)))
        problems.push({ ...problemAt([...base, ...at], { message }, { file, document }), harmless: true });
    } else if (first !== undefined) {
      problems.push(...found);
      disabled.push({ id, reason: `${first.file}:${first.line}: ${first.path} ${first.message}` });
    }
  }
  return { accepted, disabled, problems };
}

const BAD_ID = {
  message: 'is not a server id.',
  mend: 'Ids are 1 to 40 lower-case letters, digits and "-"; "_" separates server and tool in the names of /mcp.',
};

function wholeFile(file: string, message: string, mend: string): ConfigProblem {
  return { file, line: 0, column: 0, path: '', message, mend };
}

/** The file's value with the settings of the environment, then of the command line, laid over it. */
function applyOverrides(value: unknown, env: Environment, overrides: Overrides): unknown {
  const settings = Object.entries(VARIABLES).map(([name, at]) => [at, env[name]] as const);
  const typed = [[['listen'], overrides.listen] as const, [['operations'], overrides.operations] as const];
  let current = value ?? {};
  for (const [[first, second], text] of [...settings, ...typed]) {
    if (text === undefined || text === '' || first === undefined || !isRecord(current)) continue;
    const group = current[first];
    current = {
      ...current,
      [first]: second === undefined ? text : { ...(isRecord(group) ? group : {}), [second]: text },
    };
  }
  return current;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
