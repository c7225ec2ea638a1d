/** What is released is the build, not the sources: it starts, serves a call and knows its commands. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

import { beforeAll, describe, expect, it } from 'vitest';

import { build } from '../../scripts/build.ts';
import { scriptPath } from '../harness/child.ts';
import { writeTestConfig } from '../harness/config-file.ts';
import { bearer, modern, send } from '../harness/http.ts';

const SERVER = scriptPath('../node_modules/@modelcontextprotocol/server-filesystem/dist/index.js');

let main = '';
beforeAll(() => {
  main = build();
}, 120_000);

const run = (...args: readonly string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

describe('the built product', () => {
  it('holds no module that fails when it is loaded', async () => {
    const dist = path.dirname(main);
    const modules = readdirSync(dist, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.js') && name !== 'main.js' && !name.endsWith('.worker.js'))
      // The demo's own need packages of the checkout, and one of them changes the process that loads it.
      .filter((name) => !name.startsWith('dev'));
    expect(modules.length).toBeGreaterThan(300);
    const failed: string[] = [];
    for (const name of modules) {
      try {
        await import(/* @vite-ignore */ pathToFileURL(path.join(dist, name)).href);
      } catch (error) {
        failed.push(`${name}: ${String(error)}`);
      }
    }
    expect(failed).toEqual([]);
  }, 60_000);

  it('serves a call', async () => {
    const config = writeTestConfig({
      yaml: [
        'servers:',
        '  files:',
        `    command: [${JSON.stringify(process.execPath)}, ${JSON.stringify(SERVER)}, .]`,
        '    allow: [{ anyone: true, tools: ["list_*"] }]',
      ].join('\n'),
      policies: 'forbid (principal, action, resource) when { resource.risk == "high" };',
    });
    const gateway = spawn(process.execPath, [main, 'serve', '--config', config.file], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(gateway, 'exit');
    try {
      const url = await new Promise<string>((resolve, reject) => {
        createInterface({ input: gateway.stdout }).on('line', (line) => {
          const { msg, url: told } = JSON.parse(line) as Record<string, string>;
          if (msg === 'ready') resolve(told ?? '');
        });
        gateway.once('exit', () => reject(new Error('it ended before it was ready')));
      });
      const { headers, body } = modern('tools/call', { name: 'list_allowed_directories', arguments: {} });
      const key = bearer(config.keys['alice'] ?? '');
      await expect
        .poll(async () => (await send(`${url}/servers/files/mcp`, { headers: { ...headers, ...key }, body })).text, {
          timeout: 30_000,
        })
        .toContain('Allowed directories');
    } finally {
      gateway.kill('SIGTERM');
    }
    expect(await exited).toEqual([0, null]);
  }, 60_000);

  it('knows its commands', () => {
    expect(run('--version').stdout).toMatch(/^\d+\.\d+\.\d+/);
    expect(run('key', 'create', 'alice', '--print-config').stdout).toMatch(/^sp_/);
    expect(run('policy', 'test', scriptPath('../examples/policies')).stdout).toMatch(/\d+ passed, 0 failed/);
  }, 60_000);
});
