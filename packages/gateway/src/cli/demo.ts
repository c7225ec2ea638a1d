/** `sallyport demo`, which is `npm start`: the gateway in front of real servers, and everything needed for a first call. */

import { existsSync } from 'node:fs';
import path from 'node:path';

import { printDemoBanner } from '../dev/demo-banner.ts';
import { prepareDemoFiles } from '../dev/demo-files.ts';
import { startDemoServer } from '../dev/demo-server.ts';
import type { DemoServer } from '../dev/demo-server.ts';
import { requireConfig } from './check.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { runGateway } from './run-gateway.ts';

export type DemoOptions = { readonly listen?: string; readonly operations?: string };

/** The checkout this file is in. */
const ROOT = path.resolve(import.meta.dirname, '../../../..');

export async function demo(context: CommandContext, overrides: DemoOptions): Promise<ExitCode> {
  if (!existsSync(path.join(ROOT, 'examples', 'demo'))) {
    throw new CommandError('The demo runs from a checkout of the repository only.', EXIT.failed);
  }
  const { terminal, env } = context;
  terminal.out(terminal.dim('Starting the servers of the demo: files, memory (stdio), everything, toolbox (HTTP).'));
  const servers = await startServers(env['PATH'] ?? '');
  const close = async (): Promise<void> => void (await Promise.all(servers.map((server) => server.close())));
  try {
    const [everything, toolbox] = servers;
    const files = prepareDemoFiles({ root: ROOT, urls: { everything: everything.url, toolbox: toolbox.url } });
    const loaded = requireConfig(context, files.config, overrides);
    await runGateway({
      loaded,
      typed: 'npm start --',
      onReady: ({ url, operationsUrl }) => {
        const ids = loaded.config.servers.map((server) => server.id);
        printDemoBanner(terminal, { url, operationsUrl, servers: ids, files, root: ROOT });
      },
    });
    return EXIT.done;
  } finally {
    await close();
  }
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
