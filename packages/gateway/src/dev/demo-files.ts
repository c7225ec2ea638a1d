/** The demo's folder: keys and passwords that stay the same, files to read and write, and a configuration written anew. */

import { randomInt } from 'node:crypto';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { newKey } from '../cli/key-create.ts';
import { isJsonObject } from '../model/json.ts';
import type { DemoUser } from './identity/users.ts';

export type DemoKey = { readonly key: string; readonly line: string };

export type DemoFolder = {
  readonly folder: string;
  readonly keys: Readonly<Record<'alice' | 'bob', DemoKey>>;
  readonly users: readonly DemoUser[];
  /** Private files of the identity provider. */
  readonly identity: { readonly keys: string; readonly store: string };
};

export type DemoUrls = Readonly<Record<'everything' | 'toolbox' | 'issuer', string>>;

/** Readable by their owner only: the keys stand here in the clear. */
const PRIVATE = 0o600;

/** @param root The checkout: where `examples/` and `node_modules/` are. */
export function prepareDemoFolder(root: string, folder: string): DemoFolder {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(path.join(folder, 'files'))) {
    cpSync(path.join(root, 'examples', 'demo', 'files'), path.join(folder, 'files'), { recursive: true });
  }
  return {
    folder,
    keys: demoKeys(path.join(folder, 'api-keys.json')),
    users: demoUsers(path.join(folder, 'passwords.json')),
    identity: { keys: path.join(folder, 'identity-keys.json'), store: path.join(folder, 'identity.json') },
  };
}

/** @returns The configuration file, written. */
export function writeDemoConfig(root: string, { folder, keys }: DemoFolder, urls: DemoUrls): string {
  const source = path.join(root, 'examples', 'demo');
  const config = path.join(folder, 'sallyport.yaml');
  const values: Readonly<Record<string, string>> = {
    node: process.execPath,
    modules: path.join(root, 'node_modules'),
    schema: path.join(root, 'docs', 'reference', 'sallyport.schema.json'),
    policies: path.join(source, 'policies'),
    everything: urls.everything,
    toolbox: urls.toolbox,
    issuer: urls.issuer,
    alice: keys.alice.line,
    bob: keys.bob.line,
  };
  const template = readFileSync(path.join(source, 'sallyport.template.yaml'), 'utf8');
  const text = template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? `unknown value ${name}`);
  writeFileSync(config, text, { mode: PRIVATE });
  return config;
}

/** Made on first start, the same afterwards: what was pasted into a client keeps working. */
function demoKeys(file: string): DemoFolder['keys'] {
  const known = existsSync(file) ? readKeys(file) : undefined;
  if (known !== undefined) return known;
  const keys = {
    alice: newKey({ name: 'alice', group: ['engineering'] }),
    bob: newKey({ name: 'bob', group: ['support'] }),
  };
  writeFileSync(file, `${JSON.stringify(keys, null, 2)}\n`, { mode: PRIVATE });
  chmodSync(file, PRIVATE);
  return keys;
}

function readKeys(file: string): DemoFolder['keys'] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
  if (!isJsonObject(value)) return undefined;
  const [alice, bob] = [readKey(value['alice']), readKey(value['bob'])];
  return alice === undefined || bob === undefined ? undefined : { alice, bob };
}

const GROUPS: Readonly<Record<string, readonly string[]>> = {
  alice: ['engineering'],
  bob: ['support'],
  carol: ['dba'],
};

/** Passwords and not names that everyone could guess: other users of this machine reach the log-in page, too. */
function demoUsers(file: string): readonly DemoUser[] {
  const known = existsSync(file) ? readPasswords(file) : {};
  const users = Object.entries(GROUPS).map(([name, groups]) => ({
    name,
    groups,
    password: known[name] ?? newPassword(),
  }));
  const passwords = Object.fromEntries(users.map(({ name, password }) => [name, password]));
  writeFileSync(file, `${JSON.stringify(passwords, null, 2)}\n`, { mode: PRIVATE });
  chmodSync(file, PRIVATE);
  return users;
}

function readPasswords(file: string): Readonly<Record<string, string>> {
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    const known = isJsonObject(value) ? Object.entries(value) : [];
    return Object.fromEntries(
      known.flatMap(([name, text]) => (typeof text === 'string' && text !== '' ? [[name, text]] : [])),
    );
  } catch {
    return {};
  }
}

const CONSONANTS = 'bdfgklmnprstvz';
const VOWELS = 'aeiou';

/** `bado-temi-kura`: 12 letters of 36 bits, which are easily read from one window and typed into another. */
function newPassword(): string {
  const syllable = (): string =>
    CONSONANTS.charAt(randomInt(CONSONANTS.length)) + VOWELS.charAt(randomInt(VOWELS.length));
  return Array.from({ length: 3 }, () => syllable() + syllable()).join('-');
}

function readKey(value: unknown): DemoKey | undefined {
  if (!isJsonObject(value)) return undefined;
  const { key, line } = value;
  return typeof key === 'string' && typeof line === 'string' ? { key, line } : undefined;
}
