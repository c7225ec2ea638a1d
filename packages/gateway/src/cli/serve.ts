/** `sallyport serve`: the gateway, until it is told to stop. */

import { requireConfig } from './check.ts';
import { TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { runGateway } from './run-gateway.ts';

export type ServeOptions = { readonly config: string; readonly listen?: string; readonly operations?: string };

export async function serve(context: CommandContext, { config: file, ...overrides }: ServeOptions): Promise<ExitCode> {
  const loaded = requireConfig(context, file, overrides);
  await runGateway({ loaded, typed: `${TYPED} serve --config ${file}` });
  return EXIT.done;
}
