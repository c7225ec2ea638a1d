/** Options that several commands take. */

import { Option } from 'commander';

import type { ExitCode } from './exit-code.ts';

/** How a command says how it ended. */
export type Ended = (code: ExitCode) => void;

export const DEFAULT_CONFIG = 'sallyport.yaml';

export const configOption = (): Option =>
  new Option('-c, --config <file>', 'the configuration file').default(DEFAULT_CONFIG).env('SALLYPORT_CONFIG');

/** For an option that may be repeated. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
