/** What is wrong with a configuration, where, and how to mend it; and the text of it. */

export type ConfigProblem = {
  readonly file: string;
  /** 1-based; 0 when the problem has no place in the text (the file cannot be read, the environment is wrong). */
  readonly line: number;
  readonly column: number;
  /** `servers.files.env.TOKEN`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
  /** What to type instead. */
  readonly mend?: string;
  /** The only server that is disabled by it. Without one, nothing starts, unless `harmless`. */
  readonly server?: string;
  /** An entry that is left out, and nothing else: an API key that can never match. */
  readonly harmless?: boolean;
};

/** `sallyport.yaml:12:7 servers.files.env.TOKEN: … To mend: …` */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line > 0 ? `${problem.file}:${problem.line}:${problem.column}` : problem.file;
  const where = problem.path === '' ? place : `${place}  ${problem.path}`;
  const mend = problem.mend === undefined ? '' : `\n    ${problem.mend}`;
  return `${where}\n    ${problem.message}${mend}`;
}

/** A problem that keeps the gateway from starting. */
export const isFatal = (problem: ConfigProblem): boolean => problem.server === undefined && problem.harmless !== true;
