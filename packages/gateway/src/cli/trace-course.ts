/** How one call went: the steps with their times, the attempts, and what is known of its failure. */

import { listOf, numberOf, objectOf, textOf } from '../audit/told-record.ts';
import type { Json, JsonObject } from '../model/json.ts';

const unmappedOf = (record: JsonObject): JsonObject => objectOf(record.unmapped);

/** Each with when it began and how long it lasted. */
export function stepLines(record: JsonObject): readonly string[] {
  const pairs = stepsOf(listOf(unmappedOf(record).steps));
  const totalUs = Math.max(numberOf(record.duration) ?? 0, 0) * 1000;
  return pairs.map(({ step, atUs }, index) => {
    const endUs = pairs[index + 1]?.atUs ?? Math.max(totalUs, atUs);
    return `${afterText(atUs)}  ${step.padEnd(14)}  ${usText(endUs - atUs).padStart(8)}`;
  });
}

type BegunStep = { readonly step: string; readonly atUs: number };

function stepsOf(flat: readonly Json[]): readonly BegunStep[] {
  const steps: BegunStep[] = [];
  for (let index = 0; index + 1 < flat.length; index += 2) {
    steps.push({ step: textOf(flat[index]), atUs: numberOf(flat[index + 1]) ?? 0 });
  }
  return steps;
}

export function attemptLines(record: JsonObject): readonly string[] {
  const { attempts, attempted } = unmappedOf(record);
  const lines = listOf(attempts).map((one) => {
    const { at_us: atUs, us, outcome, credential, upstream } = objectOf(one);
    const { name, version, revision, transport } = objectOf(upstream);
    const server = [textOf(name), textOf(version)].filter((text) => text !== '').join(' ');
    const reached =
      textOf(transport) === ''
        ? ''
        : `${textOf(transport)}, MCP ${textOf(revision)}${server === '' ? '' : `, ${server}`}`;
    const as = CREDENTIALS[textOf(credential)] ?? textOf(credential);
    const took = usText(numberOf(us) ?? 0);
    return [afterText(numberOf(atUs) ?? 0), textOf(outcome), `in ${took}`, reached, as]
      .filter((text) => text !== '')
      .join('  ');
  });
  const unheard = (numberOf(attempted) ?? lines.length) - lines.length;
  return unheard > 0 ? [...lines, `and ${unheard} more, of which no end was recorded`] : lines;
}

const CREDENTIALS: Readonly<Record<string, string>> = {
  none: 'without a credential',
  headers: 'credential in headers',
  environment: 'credential in the environment',
};

const SENT: Readonly<Record<string, string>> = {
  no: 'nothing reached the server',
  maybe: 'the server may have got it',
  yes: 'the server got it',
};

export function diagnosisLines(record: JsonObject): readonly string[] {
  const { stage, sent, diagnosis } = unmappedOf(record);
  const { message, upstream, stderr, stack, redacted } = objectOf(diagnosis);
  const { code, message: said, data } = objectOf(upstream);
  const where = [textOf(stage) === '' ? '' : `in the step ${textOf(stage)}`, SENT[textOf(sent)] ?? '']
    .filter((text) => text !== '')
    .join('; ');
  const lines = [where, textOf(message)].filter((text) => text !== '');
  if (numberOf(code) !== undefined) lines.push(`the server answered ${numberOf(code)}: ${textOf(said)}`);
  if (textOf(data) !== '') lines.push(`  data ${textOf(data)}`);
  if (listOf(stderr).length > 0) {
    lines.push('the server wrote to stderr meanwhile:', ...listOf(stderr).map((line) => `  ${textOf(line)}`));
  }
  if (textOf(stack) !== '') lines.push(...textOf(stack).split('\n'));
  const rules = listOf(redacted).map(textOf);
  if (rules.length > 0) lines.push(`(redacted: ${rules.join(', ')})`);
  return lines;
}

/** When it began, counted from the arrival of the request. */
const afterText = (us: number): string => `+${usText(us)}`.padStart(9);

/** `0.12 ms`, `31.5 ms`, `1.20 s`. */
export function usText(us: number): string {
  if (us < 10_000) return `${(us / 1000).toFixed(2)} ms`;
  if (us < 1_000_000) return `${(us / 1000).toFixed(1)} ms`;
  return `${(us / 1_000_000).toFixed(2)} s`;
}
