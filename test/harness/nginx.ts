/**
 * A real nginx in front of two replicas, with the settings of docs/replicas.md: one request to each in turn, no stickiness,
 * nothing made twice, nothing kept back.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { docSnippets } from './doc-snippet.ts';
import { send } from './http.ts';
import { until } from './until.ts';

/** Debian has it in a folder of the administrator's. */
const FOLDERS = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'];
export const NGINX = FOLDERS.map((folder) => path.join(folder, 'nginx')).find(existsSync);

export type Balancer = { readonly url: string; close(): Promise<void> };

function settings(port: number, [a, b]: readonly [number, number]): string {
  const [upstream = '', location = ''] = docSnippets('replicas.md', 'nginx');
  const here = upstream.replace('10.0.0.7:8080', `127.0.0.1:${a}`).replace('10.0.0.8:8080', `127.0.0.1:${b}`);
  return `
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ${here}
  server {
    listen 127.0.0.1:${port};
    add_header X-Replica $upstream_addr always;
    ${location}
  }
}
`;
}

/** The answer's header `x-replica` is the address of whoever answered. */
export async function startNginx(port: number, replicas: readonly [number, number]): Promise<Balancer> {
  if (NGINX === undefined) throw new Error('nginx is not installed');
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-nginx-'));
  writeFileSync(path.join(folder, 'nginx.conf'), settings(port, replicas));
  const child = spawn(NGINX, ['-p', folder, '-e', 'stderr', '-c', path.join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const url = `http://127.0.0.1:${port}`;
  await until('nginx to answer', async () => {
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
    return send(`${url}/mcp`, { method: 'OPTIONS' }).catch(() => undefined);
  });
  return {
    url,
    async close() {
      if (child.exitCode === null && child.signalCode === null) {
        const ended = once(child, 'exit');
        child.kill('SIGTERM');
        await ended;
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
