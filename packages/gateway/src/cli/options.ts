/** Options that several commands take. */

import { Option } from 'commander';

import type { ExitCode } from './exit-code.ts';

/** How a command says how it ended. */
export type Ended = (code: ExitCode) => void;

export const DEFAULT_CONFIG = 'sallyport.yaml';

export const configOption = (): Option =>
  new Option('-c, --config <file>', 'the configuration file').default(DEFAULT_CONFIG).env('SALLYPORT_CONFIG');

const DEFAULT_OPERATIONS_URL = 'http://127.0.0.1:9090';

export const operationsUrlOption = (): Option =>
  new Option('--url <url>', "the gateway's operations address")
    .default(DEFAULT_OPERATIONS_URL)
    .env('SALLYPORT_OPERATIONS_URL');

/** For an option that may be repeated. */
export const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];
