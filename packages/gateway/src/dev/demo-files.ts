/** The demo's folder: two API keys that stay the same, files to read and write, and a configuration written anew each time. */

import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';

import { newKey } from '../cli/key-create.ts';
import { isJsonObject } from '../model/json.ts';

export type DemoKey = { readonly key: string; readonly line: string };

export type DemoFiles = { readonly config: string; readonly keys: Readonly<Record<'alice' | 'bob', DemoKey>> };

export type DemoPlace = {
  /** The checkout: where `examples/` and `node_modules/` are. */
  readonly root: string;
  readonly urls: Readonly<Record<'everything' | 'toolbox', string>>;
};

/** Readable by their owner only: the keys stand here in the clear. */
const PRIVATE = 0o600;

export function prepareDemoFiles({ root, urls }: DemoPlace): DemoFiles {
  const source = path.join(root, 'examples', 'demo');
  const folder = path.join(root, 'data', 'demo');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!existsSync(path.join(folder, 'files'))) {
    cpSync(path.join(source, 'files'), path.join(folder, 'files'), { recursive: true });
  }
  const keys = demoKeys(path.join(folder, 'api-keys.json'));
  const config = path.join(folder, 'sallyport.yaml');
  const values: Readonly<Record<string, string>> = {
    node: process.execPath,
    modules: path.join(root, 'node_modules'),
    schema: path.join(root, 'docs', 'reference', 'sallyport.schema.json'),
    policies: path.join(source, 'policies'),
    everything: urls.everything,
    toolbox: urls.toolbox,
    alice: keys.alice.line,
    bob: keys.bob.line,
  };
  const template = readFileSync(path.join(source, 'sallyport.template.yaml'), 'utf8');
  const text = template.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? `unknown value ${name}`);
  writeFileSync(config, text, { mode: PRIVATE });
  return { config, keys };
}

/** Made on first start, the same afterwards: what was pasted into a client keeps working. */
function demoKeys(file: string): DemoFiles['keys'] {
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

function readKeys(file: string): DemoFiles['keys'] | undefined {
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

function readKey(value: unknown): DemoKey | undefined {
  if (!isJsonObject(value)) return undefined;
  const { key, line } = value;
  return typeof key === 'string' && typeof line === 'string' ? { key, line } : undefined;
}
