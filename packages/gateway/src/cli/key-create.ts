/** `sallyport key create`: a new API key, shown once, and the line that lets it in. The one command that prints a secret. */

import { randomBytes } from 'node:crypto';

import { createApiKey } from '../authn/api-key.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';

export type KeyCreateOptions = { readonly name: string; readonly group: readonly string[]; readonly tenant?: string };

export function keyCreate({ terminal }: CommandContext, options: KeyCreateOptions): ExitCode {
  const { key, line } = newKey(options);
  terminal.out(key);
  terminal.err('');
  terminal.err(`This key for ${options.name} is shown once; only its hash is kept. Add under identity.apiKeys:`);
  terminal.err('');
  terminal.err(`    - ${line}`);
  return EXIT.done;
}

/** A key in the clear, for its owner, and the YAML flow mapping that goes into the configuration. */
export function newKey({ name, group, tenant }: KeyCreateOptions): { readonly key: string; readonly line: string } {
  const { key, hash } = createApiKey(randomBytes);
  const parts = [`name: ${yamlText(name)}`, `hash: "${hash}"`];
  if (group.length > 0) parts.push(`groups: [${group.map(yamlText).join(', ')}]`);
  if (tenant !== undefined) parts.push(`tenant: ${yamlText(tenant)}`);
  return { key: key.expose(), line: `{ ${parts.join(', ')} }` };
}

/** JSON strings are YAML, so whatever the name holds stays a name. */
const yamlText = (text: string): string =>
  /^[A-Za-z][A-Za-z0-9_-]*$/.test(text) && !/^(?:true|false|null|yes|no|on|off)$/i.test(text)
    ? text
    : JSON.stringify(text);
