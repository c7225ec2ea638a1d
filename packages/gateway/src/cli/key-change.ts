/** `sallyport key expire` and `key revoke`: the end of an API key, felt by every gateway within seconds. */

import type { ApiKeyChange } from '../authn/api-key-store.ts';
import { nearestName } from '../model/nearest-name.ts';
import { requireConfig } from './check.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { instantText, parseInstant } from './instant.ts';
import { withStoredKeys, type OpenKeys } from './key-store.ts';

type Named = { readonly name: string; readonly config: string; readonly tenant: string };

export type KeyExpireOptions = Named & { readonly at?: string; readonly in?: string };

export async function keyExpire(context: CommandContext, options: KeyExpireOptions): Promise<ExitCode> {
  const nowMs = Date.now();
  const expiresAtMs = instantOf(options, nowMs);
  await change(context, options, { expiresAtMs });
  context.terminal.out(
    expiresAtMs <= nowMs
      ? `The key of ${options.name} has expired: every gateway refuses it within 5 seconds.`
      : `The key of ${options.name} expires at ${instantText(expiresAtMs)} UTC.`,
  );
  return EXIT.done;
}

export async function keyRevoke(context: CommandContext, options: Named): Promise<ExitCode> {
  await change(context, options, { revokedAtMs: Date.now() });
  context.terminal.out(`The key of ${options.name} is revoked: every gateway refuses it within 5 seconds.`);
  return EXIT.done;
}

function instantOf({ at, in: within }: KeyExpireOptions, nowMs: number): number {
  if (at !== undefined && within !== undefined) {
    throw new CommandError('--at and --in say the same thing.', EXIT.usage, 'Write one of them, or neither for now.');
  }
  const text = at ?? within;
  if (text === undefined) return nowMs;
  const instant = parseInstant(text, nowMs);
  if (instant.ok) return instant.value;
  throw new CommandError(`${at === undefined ? '--in' : '--at'}: "${text}" ${instant.error}.`, EXIT.usage);
}

async function change(context: CommandContext, { name, config, tenant }: Named, wanted: ApiKeyChange): Promise<void> {
  const loaded = requireConfig(context, config);
  const inFile = loaded.config.identity.apiKeys.some((key) => key.name === name && key.tenant === tenant);
  await withStoredKeys(loaded, name, async (keys) => {
    if (await keys.store.change(tenant, name, wanted)) return;
    if (inFile) {
      throw new CommandError(
        `The key of ${name} stands in ${loaded.file}, which this command does not write.`,
        EXIT.usage,
        'Remove it there, or give it an "expires", and restart the gateway.',
      );
    }
    throw await unknown(keys, name, tenant);
  });
}

async function unknown({ store, place }: OpenKeys, name: string, tenant: string): Promise<CommandError> {
  const all = await store.list();
  const good = all.filter((key) => key.revokedAtMs === undefined);
  const elsewhere = good.find((key) => key.name === name)?.tenant;
  const near = nearestName(
    name,
    good.filter((key) => key.tenant === tenant).map((key) => key.name),
  );
  const revoked = all.some((key) => key.name === name && key.tenant === tenant);
  const hint =
    elsewhere !== undefined
      ? `There is one in the tenant "${elsewhere}". Add: --tenant ${elsewhere}`
      : near !== undefined
        ? `Did you mean ${near}?`
        : `To see them all, type: ${TYPED} key list`;
  const what =
    revoked && elsewhere === undefined ? `The key of "${name}" was revoked before` : `There is no key of "${name}"`;
  return new CommandError(`${what}, in the tenant "${tenant}" of ${place}.`, EXIT.usage, hint);
}
