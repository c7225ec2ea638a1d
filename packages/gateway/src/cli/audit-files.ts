/** Which record a command about the audit file is about: the one that is named, or that of the configuration. */

import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';

import { publicKeyPath, verifyingKey, type VerifyingKey } from '../audit/signing-key.ts';
import type { AuditConfig } from '../config/config.ts';
import { loadConfig } from '../config/load.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';

/** @throws CommandError when the configuration cannot be used */
export function configuredAudit(context: CommandContext, config: string): AuditConfig {
  const loaded = loadConfig(config, { env: context.env });
  if (loaded.ok) return loaded.value.config.audit;
  const hint = `Name the file: ${TYPED} audit verify data/audit.jsonl`;
  throw new CommandError(`${config} cannot be used, so the audit file is not known.`, EXIT.usage, hint);
}

/** The public keys that are named; else the one that is found where the gateway puts it. */
export async function publicKeys(
  named: readonly string[],
  found: string | undefined,
): Promise<readonly VerifyingKey[]> {
  const files = named.length > 0 || found === undefined || !existsSync(found) ? named : [found];
  return Promise.all(files.map(readPublicKey));
}

/** Beside the file, or where a gateway keeps its keys by default: in the same folder. */
export const publicKeyBeside = (file: string): string =>
  publicKeyPath(path.join(path.dirname(file), 'audit-signing-key.pem'));

async function readPublicKey(file: string): Promise<VerifyingKey> {
  const pem = await readText(file);
  try {
    return verifyingKey(pem);
  } catch (error) {
    const hint = 'The gateway writes it beside the signing key: data/audit-signing-key.pub.pem';
    throw new CommandError(`${file} holds no Ed25519 public key.`, EXIT.usage, hint, error);
  }
}

/** @throws CommandError */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

export function unreadable(file: string, error: unknown): CommandError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const message = code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${code}).`;
  return new CommandError(message, EXIT.usage, undefined, error);
}
