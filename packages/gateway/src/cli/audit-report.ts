/** What `audit verify` says: what is proved, what is not, and the first thing that is wrong, in an auditor's words. */

import type { BrokenBecause } from '../audit/verify.ts';
import type { RecordVerification } from '../audit/verify-record.ts';
import { TYPED } from './command.ts';
import { printable, type Terminal } from './terminal.ts';

export type Told = {
  readonly verification: RecordVerification;
  /** Public keys that signatures were checked with. */
  readonly keys: number;
  /** Lines of the checkpoint file that are no checkpoints. */
  readonly unreadable: readonly number[];
  /** Checkpoints that were named on the command line. */
  readonly kept: number;
};

type Paint = Pick<Terminal, 'green' | 'red' | 'yellow' | 'dim'>;

export function verificationLines(told: Told, paint: Paint): readonly string[] {
  const { verification } = told;
  const { result } = verification;
  if (!result.ok) return [...brokenLines(verification, paint), ...checkpointFaults(told, paint)];
  const faults = checkpointFaults(told, paint);
  const verdict = verification.ok && faults.length === 0 ? paint.green('intact') : paint.red('not proved');
  const { first, last, clock } = result;
  const files = verification.files.length === 1 ? (verification.files[0] ?? '') : `${verification.files.length} files`;
  const range = first === undefined || last === undefined ? '' : `, number ${first} to ${last.sequence}`;
  const count = `${number(verification.records)} ${verification.records === 1 ? 'record' : 'records'}`;
  const lines = [`${printable(files)}: ${verdict}, ${count}${range}.`, ...faults];
  if (last === undefined) return lines;
  lines.push(`Proved: ${proved(verification)}`, endLine(told, paint));
  if (verification.unfinished) {
    lines.push(paint.yellow('The last line has no end: it is being written, or a crash tore it. It is not counted.'));
  }
  if (clock !== undefined) {
    const { times, backMs, sequence } = clock;
    const most = `at most by ${duration(backMs)}, at record ${sequence}`;
    lines.push(
      paint.yellow(
        `The clock went back ${times} ${times === 1 ? 'time' : 'times'}, ${most}. Order is by number, not time.`,
      ),
    );
  }
  lines.push(paint.dim(`The last fingerprint is ${last.fingerprint}.`));
  return lines;
}

function proved({ begins, result }: RecordVerification): string {
  if (!result.ok || result.last === undefined || result.first === undefined) return 'nothing.';
  const { first, last } = result;
  const unchanged = `no record from ${first} to ${last.sequence} was changed, removed, inserted or moved.`;
  switch (begins) {
    case 'at record 1':
      return unchanged;
    case 'at a checkpoint':
      return `${unchanged} It begins behind record ${first - 1}, which a signed checkpoint stands for: older files were deleted.`;
    case 'as asked':
      return `${unchanged} What was before record ${first} was not asked for.`;
  }
}

/** Whether the end may have been cut off: a chain alone cannot say. */
function endLine({ verification: { checkpoints }, keys, kept }: Told, paint: Paint): string {
  const { newest, matched } = checkpoints;
  if (newest === undefined) {
    return paint.yellow(
      `Not proved: that nothing was cut off at the end. Keep checkpoints elsewhere: ${TYPED} audit checkpoint`,
    );
  }
  const { sequence, timeMs } = newest.checkpoint;
  const until = `Nothing was cut off up to record ${sequence} (${new Date(timeMs).toISOString()})`;
  const how = `${number(matched)} ${matched === 1 ? 'checkpoint' : 'checkpoints'} matched`;
  if (keys === 0) return paint.yellow(`${until}: ${how}, signatures not checked. Name the public key: --public-key`);
  const where = kept > 0 ? '' : '. They lie beside the record: one that was kept elsewhere proves more (--checkpoint)';
  return `${until}: ${how}, signatures good${where}.`;
}

function brokenLines({ result, records }: RecordVerification, paint: Paint): readonly string[] {
  if (result.ok) return [];
  const at = result.file === undefined ? '' : `${printable(result.file)}:${result.line}: `;
  const before = records === 0 ? 'Nothing before it is proved.' : `${number(records)} records before it are intact.`;
  return [
    `${at}${paint.red(result.reason)}. ${result.message}`,
    `The first broken record is ${result.sequence}. ${before}`,
    paint.dim(WHAT_NOW[result.reason]),
  ];
}

const WHAT_NOW: Readonly<Record<BrokenBecause, string>> = {
  malformed: 'Something that is no record stands in the file. Compare it with a copy: a sink, or a backup.',
  altered: 'Its text was changed after it was written. Compare it with a copy: a sink, or a backup.',
  missing: 'Records were deleted, or a file is gone. Look for it in a backup, or for who could delete it.',
  'out-of-place': 'Records were inserted, repeated, exchanged or moved. Compare it with a copy: a sink, or a backup.',
  'cut-off': 'The end was deleted, or an older copy of the file was put in its place.',
  rewritten: 'Somebody made a chain of their own. Nothing of it can be believed without a copy from elsewhere.',
};

function checkpointFaults({ verification, unreadable }: Told, paint: Paint): readonly string[] {
  const { forged, unknownKey } = verification.checkpoints;
  const lines = forged.map(({ checkpoint, from }) => {
    const which = `The checkpoint of record ${checkpoint.sequence} ${from === 'kept' ? 'that was named' : 'beside the record'}`;
    return `${paint.red('forged')}. ${which} was not signed by key ${printable(checkpoint.key)}, which it names.`;
  });
  if (unreadable.length > 0) {
    lines.push(`${paint.red('malformed')}. Line ${unreadable[0]} of the checkpoints beside the record is none.`);
  }
  if (unknownKey === 0) return lines;
  const which = `${number(unknownKey)} checkpoints beside the record are signed by a key that was not named`;
  return [
    ...lines,
    paint.yellow(`${which}: nothing is concluded from them. Name older public keys, too: --public-key`),
  ];
}

/** The same for programs. */
export function verificationJson({ verification, keys, unreadable }: Told): string {
  const { result, checkpoints, ...rest } = verification;
  const { newest, forged, ...counted } = checkpoints;
  return JSON.stringify({
    ...rest,
    ok: rest.ok && unreadable.length === 0,
    ...(result.ok ? { first: result.first, last: result.last, clock: result.clock } : { broken: result }),
    checkpoints: {
      ...counted,
      publicKeys: keys,
      newest: newest?.checkpoint,
      forged: forged.map(({ checkpoint }) => checkpoint.sequence),
      unreadableLines: unreadable,
    },
  });
}

const number = (value: number): string => value.toLocaleString('en-GB');

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const parts = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60] as const;
  return `${parts[0]} h ${parts[1]} min ${parts[2]} s`;
}
