/** nginx and haproxy as plain reverse proxies: what the machine can do at best with one worker. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

import { isInstalled, start, until, type Running } from './processes.ts';

export type Proxy = Running & { readonly port: number };

/** A port that was free a moment ago: these two cannot choose one themselves and tell. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' ? (address?.port ?? 0) : 0));
    });
  });
}

const nginxConfig = (port: number, upstream: number, folder: string): string => `
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
  keepalive_requests 100000000;
  upstream fixture { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://fixture; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`;

const haproxyConfig = (port: number, upstream: number): string => `
global
  nbthread 1
  maxconn 1024
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend bench
  bind 127.0.0.1:${port}
  default_backend fixture
backend fixture
  server fixture 127.0.0.1:${upstream}
`;

/** Undefined when nginx is not installed. */
export const startNginx = (upstream: number, folder: string): Promise<Proxy | undefined> =>
  startProxy('nginx', folder, (port) => ({
    config: nginxConfig(port, upstream, folder),
    command: (file) => ['nginx', '-e', 'stderr', '-p', folder, '-c', file],
  }));

/** Undefined when haproxy is not installed. */
export const startHaproxy = (upstream: number, folder: string): Promise<Proxy | undefined> =>
  startProxy('haproxy', folder, (port) => ({
    config: haproxyConfig(port, upstream),
    command: (file) => ['haproxy', '-db', '-q', '-f', file],
  }));

type Setup = { readonly config: string; readonly command: (file: string) => readonly string[] };

async function startProxy(name: string, folder: string, setup: (port: number) => Setup): Promise<Proxy | undefined> {
  if (!isInstalled(name)) return undefined;
  const port = await freePort();
  const { config, command } = setup(port);
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `${name}.conf`);
  writeFileSync(file, config);
  const process = start({ role: 'measured', command: command(file) });
  await until(() => accepts(port), name, process);
  return { ...process, port };
}

/** Does it answer HTTP at all? */
export async function accepts(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/`, { method: 'GET' });
    return true;
  } catch {
    return false;
  }
}
