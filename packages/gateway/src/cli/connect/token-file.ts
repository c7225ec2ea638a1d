/**
 * Where a log-in is kept between two starts: one file an endpoint, mode 0600, in the place that the operating system has
 * for an application's own data. Several bridges of one person share it, and take turns when they renew it.
 */

import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import type { Environment } from '../../config/load.ts';
import { isJsonObject } from '../../model/json.ts';

/** Everything that another start needs to go on as the same person. Secret as a whole. */
export type LogIn = {
  /** What the tokens are for. */
  readonly resource: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly redirectUri: string;
  readonly accessToken: string;
  readonly refreshToken?: string;
  readonly scope?: string;
};

/** `XDG_STATE_HOME` (XDG base directories), `~/Library/Application Support` on macOS, `%LOCALAPPDATA%` on Windows. */
export function stateFolder(env: Environment, platform: NodeJS.Platform, home: string): string {
  const named = (variable: string): string | undefined => {
    const value = env[variable];
    return value !== undefined && path.isAbsolute(value) ? value : undefined;
  };
  if (platform === 'win32') {
    return path.join(named('LOCALAPPDATA') ?? path.join(home, 'AppData', 'Local'), 'sallyport');
  }
  if (platform === 'darwin') return path.join(home, 'Library', 'Application Support', 'sallyport');
  return path.join(named('XDG_STATE_HOME') ?? path.join(home, '.local', 'state'), 'sallyport');
}

const LOCK_MS = 30_000;
const TRY_AGAIN_MS = 50;

export class TokenFile {
  readonly path: string;

  constructor(folder: string, endpoint: string) {
    const { host } = new URL(endpoint);
    const digest = createHash('sha256').update(endpoint).digest('hex').slice(0, 16);
    this.path = path.join(folder, 'log-ins', `${host.replaceAll(/[^a-z0-9.-]/gi, '_')}-${digest}.json`);
  }

  /** Undefined when there is none, or none that could be used. */
  async read(): Promise<LogIn | undefined> {
    let text: string;
    try {
      text = await readFile(this.path, 'utf8');
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
    return readLogIn(text);
  }

  async write(logIn: LogIn): Promise<void> {
    await mkdir(path.dirname(this.path), { recursive: true, mode: 0o700 });
    const made = `${this.path}.${randomBytes(6).toString('hex')}`;
    const file = await open(made, 'wx', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(logIn, null, 2)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(made, this.path);
  }

  /** @returns whether there was one */
  async remove(): Promise<boolean> {
    try {
      await rm(this.path);
      return true;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Refresh tokens are used once (OAuth 2.1, 4.3.1): two bridges that renew at a time would log the person out. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const lock = `${this.path}.lock`;
    await mkdir(path.dirname(lock), { recursive: true, mode: 0o700 });
    for (;;) {
      try {
        await (await open(lock, 'wx', 0o600)).close();
        break;
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
        // Whoever made it has died: nobody renews for that long.
        if (await isOlderThan(lock, LOCK_MS)) await rm(lock, { force: true });
        else await pause(TRY_AGAIN_MS);
      }
    }
    // A person may take their time to log in.
    const alive = setInterval(() => void utimes(lock, new Date(), new Date()).catch(() => undefined), LOCK_MS / 3);
    try {
      return await work();
    } finally {
      clearInterval(alive);
      await rm(lock, { force: true });
    }
  }
}

async function isOlderThan(file: string, ms: number): Promise<boolean> {
  try {
    return Date.now() - (await stat(file)).mtimeMs > ms;
  } catch {
    return false;
  }
}

function readLogIn(text: string): LogIn | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const { resource, issuer, clientId, redirectUri, accessToken, refreshToken, scope } = value;
  if (typeof resource !== 'string' || typeof issuer !== 'string' || typeof clientId !== 'string') return undefined;
  if (typeof redirectUri !== 'string' || typeof accessToken !== 'string') return undefined;
  return {
    resource,
    issuer,
    clientId,
    redirectUri,
    accessToken,
    ...(typeof refreshToken === 'string' ? { refreshToken } : {}),
    ...(typeof scope === 'string' ? { scope } : {}),
  };
}
