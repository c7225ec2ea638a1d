/** `sallyport key create`: a new API key, shown once. The one command that prints a secret. */

import { randomBytes, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';

import { createApiKey } from '../authn/api-key.ts';
import { HINT_LENGTH } from '../authn/claimed.ts';
import type { LoadedConfig } from '../config/load.ts';
import { DEFAULT_TENANT } from '../model/principal.ts';
import { requireConfig } from './check.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { instantText, parseInstant } from './instant.ts';
import { withStoredKeys } from './key-store.ts';

export type KeyCreateOptions = {
  readonly name: string;
  readonly config: string;
  /** Somebody said which configuration: then it has to be there. */
  readonly configNamed: boolean;
  readonly group: readonly string[];
  readonly tenant: string;
  readonly expires?: string;
  readonly printConfig: boolean;
};

type KeyFacts = {
  readonly name: string;
  readonly group: readonly string[];
  readonly tenant?: string;
  readonly expiresAtMs?: number;
};

export async function keyCreate(context: CommandContext, options: KeyCreateOptions): Promise<ExitCode> {
  const { name, group, tenant, config, configNamed, printConfig } = options;
  for (const word of [name, tenant, ...group]) requireWord(word);
  const expiresAtMs = options.expires === undefined ? undefined : requireFuture(options.expires);
  const facts: KeyFacts = { name, group, tenant, ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
  const missing = !configNamed && !existsSync(config);
  if (printConfig || missing) printLine(context, facts, missing ? config : undefined);
  else await store(context, requireConfig(context, config), facts);
  return EXIT.done;
}

function printLine({ terminal }: CommandContext, facts: KeyFacts, missing: string | undefined): void {
  const { key, line } = newKey(facts);
  terminal.out(key);
  terminal.err('');
  if (missing !== undefined) terminal.err(`There is no ${missing} here, so this key is kept nowhere yet.`);
  terminal.err(`This key for ${facts.name} is shown once; only its hash is kept. Add under identity.apiKeys:`);
  terminal.err('');
  terminal.err(`    - ${line}`);
}

async function store({ terminal }: CommandContext, loaded: LoadedConfig, facts: KeyFacts): Promise<void> {
  const { name, group, tenant = DEFAULT_TENANT, expiresAtMs } = facts;
  if (loaded.config.identity.apiKeys.some((key) => key.name === name && key.tenant === tenant)) {
    throw nameTaken(name, `${loaded.file} has it`, 'Choose another name, or remove that one from the file.');
  }
  const { key, hash } = createApiKey(randomBytes);
  const text = key.expose();
  await withStoredKeys(loaded, name, async (keys) => {
    const made = await keys.store.create({
      id: randomUUID(),
      tenant,
      name,
      hash: hash.slice('sha256:'.length),
      hint: text.slice(0, HINT_LENGTH),
      groups: group,
      createdAtMs: Date.now(),
      ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    });
    if (!made.ok) {
      const option = tenant === DEFAULT_TENANT ? '' : ` --tenant ${tenant}`;
      throw nameTaken(name, `${keys.place} has it`, `To replace it, type: ${TYPED} key revoke ${name}${option}`);
    }
    terminal.out(text);
    terminal.err('');
    terminal.err(`This key for ${name} is shown once; only its hash is kept, in ${keys.place}.`);
    const until = expiresAtMs === undefined ? 'until it is revoked' : `until ${instantText(expiresAtMs)} UTC`;
    terminal.err(`It is good from now on, ${until}. What it may do is up to the policies:`);
    terminal.err(`    ${TYPED} tools --as ${name}`);
  });
}

const nameTaken = (name: string, where: string, hint: string): CommandError =>
  new CommandError(`There is an API key called "${name}" already: ${where}.`, EXIT.usage, hint);

/** What the configuration would accept, and nothing that spoils a terminal or a table. */
function requireWord(word: string): void {
  if (word.length >= 1 && word.length <= 200 && !/\p{C}/u.test(word)) return;
  throw new CommandError(
    `${JSON.stringify(word)} cannot be a name.`,
    EXIT.usage,
    'A name has 1 to 200 characters, all of them visible.',
  );
}

function requireFuture(text: string): number {
  const nowMs = Date.now();
  const instant = parseInstant(text, nowMs);
  if (!instant.ok) throw new CommandError(`--expires: "${text}" ${instant.error}.`, EXIT.usage);
  if (instant.value > nowMs) return instant.value;
  throw new CommandError(`--expires: ${text} is over already.`, EXIT.usage, 'Write a time that is still to come: 90d.');
}

/** A key in the clear, for its owner, and the YAML flow mapping that goes into the configuration. */
export function newKey({ name, group, tenant = DEFAULT_TENANT, expiresAtMs }: KeyFacts): {
  readonly key: string;
  readonly line: string;
} {
  const { key, hash } = createApiKey(randomBytes);
  const parts = [`name: ${yamlText(name)}`, `hash: "${hash}"`];
  if (group.length > 0) parts.push(`groups: [${group.map(yamlText).join(', ')}]`);
  if (tenant !== DEFAULT_TENANT) parts.push(`tenant: ${yamlText(tenant)}`);
  if (expiresAtMs !== undefined) parts.push(`expires: "${new Date(expiresAtMs).toISOString()}"`);
  return { key: key.expose(), line: `{ ${parts.join(', ')} }` };
}

/** JSON strings are YAML, so whatever the name holds stays a name. */
const yamlText = (text: string): string =>
  /^[A-Za-z][A-Za-z0-9_-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off)$/i.test(text)
    ? text
    : JSON.stringify(text);
