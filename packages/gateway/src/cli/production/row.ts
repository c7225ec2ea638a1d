/** A row of the checklist: what was found, and what follows. One finding that fails fails the row; one unknown leaves it open. */

import type { ProductionFacts } from './facts.ts';

export type Verdict = 'pass' | 'fail' | 'unknown';

export type Finding = {
  readonly verdict: Verdict;
  /** What was looked at and seen, as a sentence. */
  readonly evidence: string;
  /** What to do about it. */
  readonly mend?: string;
};

export type Row = {
  readonly id: string;
  readonly title: string;
  /** What the row asks. */
  readonly question: string;
  readonly judge: (facts: ProductionFacts) => readonly Finding[];
};

export type JudgedRow = Omit<Row, 'judge'> & { readonly verdict: Verdict; readonly findings: readonly Finding[] };

export const pass = (evidence: string): Finding => ({ verdict: 'pass', evidence });
export const fail = (evidence: string, mend: string): Finding => ({ verdict: 'fail', evidence, mend });
export const unknown = (evidence: string, mend: string): Finding => ({ verdict: 'unknown', evidence, mend });

export function judgeRow({ judge, ...row }: Row, facts: ProductionFacts): JudgedRow {
  const findings = judge(facts);
  const has = (verdict: Verdict): boolean => findings.some((finding) => finding.verdict === verdict);
  return { ...row, verdict: has('fail') ? 'fail' : has('unknown') ? 'unknown' : 'pass', findings };
}

const MAX_NAMES = 5;

/** The first few, so that a sentence stays one. */
export function some(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).join(', ');
  return names.length > MAX_NAMES ? `${shown} and ${names.length - MAX_NAMES} more` : shown;
}

export const count = (number: number, noun: string): string =>
  `${number} ${number === 1 ? noun : noun.endsWith('y') && !noun.endsWith('key') ? `${noun.slice(0, -1)}ies` : `${noun}s`}`;

export const octal = (mode: number): string => (mode & 0o777).toString(8).padStart(4, '0');

/** `127.0.0.1`, `::1`, `localhost`. */
export const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.');

export function sizeText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let size = bytes;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${size >= 10 || unit === 0 || Number.isInteger(size) ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

export const secondsText = (ms: number): string => `${ms / 1000} s`;
