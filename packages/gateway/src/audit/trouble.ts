/** What an operator is told when something is wrong with the audit file that is no full disk, and what to do about it. */

import type { Logger } from '../telemetry/logger.ts';
import type { FileTrouble } from './rotating-file.ts';
import { segmentPath } from './segments.ts';

const HOW = {
  removed: 'was moved or deleted',
  replaced: 'was replaced by another file',
  emptied: 'was cut',
} as const;

export function reportTrouble(logger: Logger, path: string, trouble: FileTrouble): void {
  if (trouble.kind === 'not-rotated') {
    logger.error({ file: path, err: trouble.error }, NOT_ROTATED);
    return;
  }
  const { first, last, kind } = trouble;
  const home = first === undefined ? 'its place' : segmentPath(path, first);
  logger.error(
    { file: path, first, last: last?.sequence },
    `the audit file ${path} ${HOW[kind]} by somebody else while it was written to. A new file is begun and the chain goes ` +
      `on in it; records up to ${last?.sequence ?? 'here'} are in the other one. Move it to ${home}, or bring it back there ` +
      'from a copy, or the record has a gap. ' +
      'If logrotate or the like does this: take the file out of it, because the gateway rotates by itself (audit.rotate)',
  );
}

const NOT_ROTATED =
  'the audit file could not be rotated: records go on in the file as it is, and rotation is tried again. Check the permissions of its folder';
