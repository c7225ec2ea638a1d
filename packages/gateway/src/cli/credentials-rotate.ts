/** `sallyport credentials rotate-key`: a new key for the tokens of people; what is kept is wrapped anew while gateways run. */

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { LoadedConfig } from '../config/load.ts';
import { rewrapGrants } from '../credential/rewrap-grants.ts';
import { KeyRingError } from '../seal/key-ring.ts';
import { changeKeyRing, type KeyRingChange } from '../seal/rotate-key-ring.ts';
import { noteRotation } from '../storage/sql/sql-grant-upkeep.ts';
import { requireConfig } from './check.ts';
import { CommandError, TYPED, type CommandContext } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { withGrants, type OpenGrants } from './grant-store.ts';

export type CredentialsRotateOptions = {
  readonly config: string;
  readonly prepare: boolean;
  readonly use?: string;
  readonly continue: boolean;
};

/** 100,000 grants take about three minutes on a local database. */
const MAX_MS = 60 * 60_000;

export async function credentialsRotate(context: CommandContext, options: CredentialsRotateOptions): Promise<ExitCode> {
  const { terminal } = context;
  const change = changeOf(options);
  const loaded = requireConfig(context, options.config);
  const { wrapping } = loaded.config.credentials;
  if (wrapping.kind === 'transit') {
    if (change === undefined)
      return rewrapAll(context, loaded, `the Vault's transit key ${wrapping.mount}/${wrapping.key}`);
    throw new CommandError(
      `The tokens of people are encrypted under the transit key ${wrapping.mount}/${wrapping.key}, which is rotated where it is.`,
      EXIT.usage,
      `Type: vault write -f ${wrapping.mount}/keys/${wrapping.key}/rotate, then: ${TYPED} credentials rotate-key --continue`,
    );
  }
  const { file } = wrapping;
  if (change?.kind === 'prepare') {
    const ring = await changed(file, change);
    terminal.out(`The key ring ${file} has a new key: ${ring.keys.at(-1)?.id}. Nothing is encrypted under it yet.`);
    terminal.err(`When every gateway has the file: ${TYPED} credentials rotate-key --use ${ring.keys.at(-1)?.id}`);
    return EXIT.done;
  }
  return rewrapAll(context, loaded, file, async ({ database, actor }) => {
    if (change === undefined) return;
    const { current } = await changed(file, change);
    await noteRotation(database, actor, current);
  });
}

/** @param home Of the keys, for messages. */
async function rewrapAll(
  { terminal }: CommandContext,
  loaded: LoadedConfig,
  home: string,
  before?: (grants: OpenGrants) => Promise<void>,
): Promise<ExitCode> {
  return withGrants(loaded, async (grants) => {
    await before?.(grants);
    const { store, envelope } = grants;
    const { keyId, rewrapped, unopened } = await rewrapGrants({
      keys: store.keys,
      envelope,
      signal: AbortSignal.timeout(MAX_MS),
    });
    terminal.out(`Tokens of people are encrypted under the key ${keyId}: ${rewrapped} were wrapped anew.`);
    const lost = Object.entries(unopened);
    for (const [key, count] of lost) {
      terminal.err(
        terminal.yellow(
          `${count} are under the key ${key}, which is not in ${home} or is another one. They stay as they are.`,
        ),
      );
    }
    if (lost.length === 0) terminal.err(terminal.dim(`No grant needs another key of ${home} any more.`));
    return lost.length === 0 ? EXIT.done : EXIT.failed;
  });
}

function changeOf({ prepare, use, continue: goOn }: CredentialsRotateOptions): KeyRingChange | undefined {
  if ([prepare, use !== undefined, goOn].filter(Boolean).length > 1) {
    throw new CommandError(
      '--prepare, --use and --continue are three different things.',
      EXIT.usage,
      'Write one of them.',
    );
  }
  if (goOn) return undefined;
  if (use !== undefined) return { kind: 'use', id: use };
  return { kind: prepare ? 'prepare' : 'rotate' };
}

async function changed(file: string, change: KeyRingChange): ReturnType<typeof changeKeyRing> {
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    return await changeKeyRing({ file, randomBytes }, change);
  } catch (error) {
    if (error instanceof KeyRingError) throw new CommandError(error.message, EXIT.failed, undefined, error);
    throw error;
  }
}
