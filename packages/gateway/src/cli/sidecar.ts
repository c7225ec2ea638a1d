/** `sallyport sidecar`: authentication, policy, limits, audit and health in front of one server beside one application. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { apiKeyDigest, isApiKey } from '../authn/api-key.ts';
import { APPLICATION, sidecarConfig } from '../config/sidecar-config.ts';
import { SERVER_ID } from '../config/server-schema.ts';
import { requireConfig } from './check.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { newKey } from './key-create.ts';
import { runGateway } from './run-gateway.ts';

export type SidecarOptions = {
  readonly command: readonly string[];
  readonly url?: string;
  readonly name?: string;
  readonly listen: string;
  readonly operations: string;
  readonly data: string;
  /** `env:NAME` or `file:/path`. */
  readonly key: string;
  readonly allow: readonly string[];
  readonly readOnly: readonly string[];
  readonly env: readonly string[];
  readonly policies: readonly string[];
  readonly rate?: string;
};

/** Readable by their owner only. */
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

export async function sidecar(context: CommandContext, options: SidecarOptions): Promise<ExitCode> {
  const { command, url, allow } = options;
  if ((command.length === 0) === (url === undefined)) {
    const hint = `Type: ${TYPED} sidecar --allow "*" -- npx -y my-mcp-server   (or --url for a server that listens)`;
    throw new CommandError('A sidecar stands in front of exactly one server: a command, or --url.', EXIT.usage, hint);
  }
  if (allow.length === 0) {
    const hint =
      'Name what the application may use: --allow "read_*" --allow list_files, or --allow "*" for everything.';
    throw new CommandError('Nothing would be allowed.', EXIT.usage, hint);
  }
  const key = applicationKey(context, options.key);
  const folder = path.resolve(options.data);
  const file = path.join(folder, 'sallyport.yaml');
  const text = sidecarConfig({
    listen: options.listen,
    operations: options.operations,
    id: options.name ?? idFrom(command, url),
    server: url === undefined ? { command } : { url },
    variables: options.env,
    allow,
    readOnly: options.readOnly,
    policies: options.policies.map((policy) => path.resolve(policy)),
    rate: options.rate,
    keyHash: `sha256:${key.digest}`,
    directory: process.cwd(),
  });
  writeConfig(folder, file, text);
  const loaded = requireConfig(context, file, {});
  if (key.fresh !== undefined) tellKey(context, key.fresh);
  await runGateway({ loaded, typed: `${TYPED} sidecar` });
  return EXIT.done;
}

type ApplicationKey = { readonly digest: string; readonly fresh?: string };

/** The key that the application presents; a new one when none was given, which is good for trying it out. */
function applicationKey({ env }: CommandContext, reference: string): ApplicationKey {
  const text = referencedKey(env, reference);
  if (text === undefined) {
    const { key } = newKey({ name: APPLICATION, group: [] });
    return { digest: apiKeyDigest(key), fresh: key };
  }
  if (isApiKey(text)) return { digest: apiKeyDigest(text) };
  const hint = `Make one: ${TYPED} key create application`;
  throw new CommandError(`What ${reference} holds is no API key of Sallyport.`, EXIT.failed, hint);
}

function referencedKey(env: CommandContext['env'], reference: string): string | undefined {
  const [, kind, rest = ''] = /^(env|file):(.+)$/.exec(reference) ?? [];
  if (kind === 'env') {
    const value = env[rest]?.trim();
    return value === '' ? undefined : value;
  }
  if (kind === 'file') {
    try {
      return readFileSync(rest, 'utf8').trim();
    } catch (error) {
      throw new CommandError(`The key file ${rest} cannot be read.`, EXIT.failed, undefined, error);
    }
  }
  const hint = 'Write where it is, not the key itself: --key env:NAME or --key file:/path.';
  throw new CommandError('--key is not a reference.', EXIT.usage, hint);
}

function tellKey({ terminal }: CommandContext, key: string): void {
  terminal.out(key);
  terminal.err('This key is for the application, and for this start only: set SALLYPORT_KEY for both to keep one.');
}

/** What starts other programs, wherever it is installed. */
const STARTERS = /^(?:node|npx|npm|deno|bun|bunx|uv|uvx|pipx|docker|python[0-9.]*)(?:\.exe)?$/;

/** Parts of a path that say nothing about a server. */
const PLACES: ReadonlySet<string> = new Set(['index', 'main', 'server', 'cli', 'dist', 'build', 'bin', 'src', 'lib']);

/** From what starts it: `npx -y @acme/files-server@1.2 ./files` and `node files-server/dist/index.js` are `files-server`. */
export function idFrom(command: readonly string[], url: string | undefined): string {
  const words = url === undefined ? command : [new URL(url).hostname];
  for (const word of words) {
    const parts = word.split(/[/\\]/).toReversed();
    if (word.startsWith('-') || STARTERS.test(parts[0] ?? '')) continue;
    for (const part of parts) {
      const bare = part
        .replace(/(?<=.)@.*$/, '')
        .replace(/\.(?:js|mjs|cjs|ts|py|sh|exe)$/, '')
        .toLowerCase();
      const id = bare
        .replaceAll(/[^a-z0-9-]+/g, '-')
        .replaceAll(/^-+|-+$/g, '')
        .slice(0, 40);
      if (SERVER_ID.test(id) && !PLACES.has(id)) return id;
    }
  }
  return 'server';
}

function writeConfig(folder: string, file: string, text: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_FOLDER });
    writeFileSync(file, text, { mode: PRIVATE_FILE });
  } catch (error) {
    const hint = 'Name a folder that can be written with --data: the key ring and the audit record are kept there.';
    throw new CommandError(`${folder} cannot be written.`, EXIT.failed, hint, error);
  }
}
