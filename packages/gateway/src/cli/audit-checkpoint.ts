/** `sallyport audit checkpoint`: the newest signed word of the record as one line, to be kept somewhere else. */

import { checkpointsPath, readCheckpoints } from '../audit/checkpoint-file.ts';
import { checkpointLine } from '../audit/checkpoint.ts';
import { configuredAudit, unreadable } from './audit-files.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';

export type AuditCheckpointOptions = { readonly file?: string; readonly config: string };

export async function auditCheckpoint(context: CommandContext, options: AuditCheckpointOptions): Promise<ExitCode> {
  const { terminal } = context;
  const file = options.file ?? configuredAudit(context, options.config).file;
  const at = checkpointsPath(file);
  const { checkpoints } = await readCheckpoints(at).catch((error: unknown) => {
    throw unreadable(at, error);
  });
  const newest = checkpoints.reduce<(typeof checkpoints)[number] | undefined>(
    (best, one) => (best === undefined || one.sequence >= best.sequence ? one : best),
    undefined,
  );
  if (newest === undefined) {
    const hint = 'A gateway makes the first when it stops, after audit.checkpoints.every, or at a rotation.';
    throw new CommandError(`There is no checkpoint in ${at}.`, EXIT.failed, hint);
  }
  terminal.out(checkpointLine(newest));
  const time = new Date(newest.timeMs).toISOString();
  terminal.err(
    terminal.dim(
      `Record ${newest.sequence}, ${time}. Keep this line where nobody who can change the record can change it: a ticket, a ` +
        `mail. Later: ${TYPED} audit verify --checkpoint <the line, or a file with it>`,
    ),
  );
  return EXIT.done;
}
