/** `sallyport demo`, which is `npm start`: the gateway in front of real servers, and everything needed for a first call. */

import { existsSync } from 'node:fs';
import path from 'node:path';

import { printDemoBanner } from '../dev/demo-banner.ts';
import { prepareDemoFolder, writeDemoConfig } from '../dev/demo-files.ts';
import type { DemoFolder } from '../dev/demo-files.ts';
import { startDemoServer } from '../dev/demo-server.ts';
import type { DemoServer } from '../dev/demo-server.ts';
import { startIdentityProvider } from '../dev/identity-provider.ts';
import type { IdentityProvider, IdentityProviderOptions } from '../dev/identity-provider.ts';
import { ListenError } from '../entrypoint/listen.ts';
import { requireConfig } from './check.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { runGateway } from './run-gateway.ts';

export type DemoOptions = {
  readonly listen?: string;
  readonly operations?: string;
  /** Of the identity provider: `127.0.0.1:8081`. */
  readonly identity?: string;
  /** Default `data/demo` of the checkout. */
  readonly data?: string;
};

/** The checkout this file is in. */
const ROOT = path.resolve(import.meta.dirname, '../../../..');

/** A client that was registered yesterday looks for the provider where it was. */
const IDENTITY_PORT = 8081;

export async function demo(context: CommandContext, options: DemoOptions): Promise<ExitCode> {
  if (!existsSync(path.join(ROOT, 'examples', 'demo'))) {
    throw new CommandError('The demo runs from a checkout of the repository only.', EXIT.failed);
  }
  const { terminal, env } = context;
  terminal.out(terminal.dim('Starting the servers of the demo: files, memory (stdio), everything, toolbox (HTTP).'));
  await using opened = new AsyncDisposableStack();
  const [everything, toolbox] = await startServers(env['PATH'] ?? '');
  opened.defer(async () => void (await Promise.all([everything.close(), toolbox.close()])));
  const folder = prepareDemoFolder(ROOT, path.resolve(options.data ?? path.join(ROOT, 'data', 'demo')));
  let publicUrl: string | undefined;
  const identity = await startIdentity(folder, options, {
    publicUrl: () => publicUrl,
    log: { warn: ({ reason }, message) => terminal.err(`${message}: ${String(reason)}`) },
  });
  opened.defer(() => identity.close());
  const urls = { everything: everything.url, toolbox: toolbox.url, issuer: identity.issuer };
  const configFile = writeDemoConfig(ROOT, folder, urls);
  const { listen, operations } = options;
  const overrides = {
    ...(listen === undefined ? {} : { listen }),
    ...(operations === undefined ? {} : { operations }),
  };
  const loaded = requireConfig(context, configFile, overrides);
  await runGateway({
    loaded,
    typed: 'npm start --',
    onReady: ({ url, operationsUrl }) => {
      publicUrl = url;
      const ids = loaded.config.servers.map((server) => server.id);
      const { issuer } = identity;
      printDemoBanner(terminal, { url, operationsUrl, issuer, servers: ids, folder, configFile, root: ROOT });
    },
  });
  return EXIT.done;
}

type Wiring = Pick<IdentityProviderOptions, 'publicUrl' | 'log'>;

/** Where it was asked to be; else on its own port if nobody else has it or wants it, else on any. */
async function startIdentity(folder: DemoFolder, options: DemoOptions, wiring: Wiring): Promise<IdentityProvider> {
  const start = (port: number, host = '127.0.0.1'): Promise<IdentityProvider> =>
    startIdentityProvider({ ...wiring, users: folder.users, files: folder.identity, host, port });
  const { listen, operations, identity } = options;
  try {
    if (identity !== undefined) return await start(...addressOf(identity));
    const wanted = [listen, operations].some((address) => address?.endsWith(`:${IDENTITY_PORT}`) === true);
    return await start(wanted ? 0 : IDENTITY_PORT);
  } catch (error) {
    if (error instanceof ListenError && identity === undefined) return start(0);
    if (error instanceof ListenError || error instanceof RangeError) {
      throw new CommandError(error.message, EXIT.failed, undefined, error);
    }
    throw error;
  }
}

function addressOf(text: string): [port: number, host: string] {
  const [, host, port] = /^\[?([^\]]+?)\]?:(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined) throw new RangeError(`--identity takes an address such as 127.0.0.1:8081, not "${text}".`);
  return [Number(port), host];
}

/** Both or none: the one that came up is closed when the other does not. */
async function startServers(searchPath: string): Promise<[everything: DemoServer, toolbox: DemoServer]> {
  const everything = startDemoServer({
    name: 'everything',
    script: [path.join(ROOT, 'node_modules/@modelcontextprotocol/server-everything/dist/index.js'), 'streamableHttp'],
    env: { PORT: '0' },
    path: searchPath,
  });
  const toolbox = startDemoServer({
    name: 'toolbox',
    script: [path.join(ROOT, 'examples/modern-server/server.ts'), '--port', '0'],
    env: {},
    path: searchPath,
  });
  const [first, second] = await Promise.allSettled([everything, toolbox]);
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return [first.value, second.value];
  for (const one of [first, second]) if (one.status === 'fulfilled') await one.value.close();
  const failed = first.status === 'rejected' ? first.reason : second.status === 'rejected' ? second.reason : undefined;
  throw new CommandError(failed instanceof Error ? failed.message : String(failed), EXIT.failed, undefined, failed);
}
