/** `sallyport audit verify`: proves the hash chain of an audit file, offline and with no key. */

import { verifyFile } from '../audit/verify.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';

export type AuditVerifyOptions = { readonly file: string; readonly anyStart: boolean };

export async function auditVerify(
  { terminal }: CommandContext,
  { file, anyStart }: AuditVerifyOptions,
): Promise<ExitCode> {
  let verification;
  try {
    verification = await verifyFile(file, { anyStart });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`${file} cannot be read: ${reason}.`, EXIT.failed, undefined, error);
  }
  if (!verification.ok) {
    terminal.out(`${file}:${verification.line}: ${terminal.red(verification.reason)}. ${verification.message}`);
    return EXIT.failed;
  }
  const { records, first, last } = verification;
  const range = first === undefined || last === undefined ? '' : ` (${first} to ${last.sequence})`;
  terminal.out(`${file}: ${terminal.green('intact')}, ${records} ${records === 1 ? 'record' : 'records'}${range}.`);
  if (last !== undefined) {
    terminal.out(
      terminal.dim(`The last fingerprint is ${last.fingerprint}. Kept elsewhere, it shows a later truncation.`),
    );
  }
  return EXIT.done;
}
