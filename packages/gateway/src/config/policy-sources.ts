/**
 * Reads the policy files that a configuration names. What cannot be read, is empty or is no file is a problem of the whole
 * set: any one of them may be the file that forbids.
 */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';

import { err, ok } from '../model/result.ts';
import type { Result } from '../model/result.ts';
import type { PolicySource } from './config.ts';
import { parseConfigDocument } from './document.ts';
import type { ConfigDocument } from './document.ts';
import { problemAt } from './explain.ts';
import type { ConfigProblem } from './problem.ts';

/** Largest file that is read: a configuration, or one policy. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_POLICY_FILES = 1000;
const MAX_PLACES = 100;

/** What a file of a policy folder is called. */
export const isPolicyFile = (name: string): boolean => name.endsWith('.cedar');

export type PolicyContext = {
  readonly file: string;
  readonly document: ConfigDocument;
  readonly directory: string;
};

/** A policy that cannot be read is fatal: it may be the one that forbids. */
export function readPolicies(
  entries: readonly string[],
  context: PolicyContext,
): { sources: readonly PolicySource[]; problems: readonly ConfigProblem[] } {
  const sources: PolicySource[] = [];
  const problems: ConfigProblem[] = [];
  for (const [index, entry] of entries.entries()) {
    const found = policyFiles(path.resolve(context.directory, entry));
    const texts = found.ok ? found.value.map((name) => ({ name, text: readPolicy(name) })) : [];
    if (!found.ok) problems.push(problemAt(['policies', index], { message: found.error }, context));
    for (const { name, text } of texts) {
      if (text.ok) sources.push({ name: path.relative(context.directory, name), text: text.value });
      else problems.push(problemAt(['policies', index], { message: `${name}: ${text.error}` }, context));
    }
  }
  return { sources, problems };
}

/**
 * The absolute paths under `policies` of a configuration file, whatever else is wrong with it: where to look for a change.
 * Empty when the file cannot be read at all.
 */
export function policyPlaces(file: string): readonly string[] {
  const text = readText(file);
  const value = text.ok ? parseConfigDocument(text.value).value : undefined;
  const listed: unknown = typeof value === 'object' && value !== null && 'policies' in value ? value.policies : [];
  const entries = Array.isArray(listed) ? listed.filter((entry) => typeof entry === 'string') : [];
  return entries.slice(0, MAX_PLACES).map((entry) => path.resolve(path.dirname(file), entry));
}

/** The `.cedar` files of a folder in the order of their names, or the file itself. */
function policyFiles(place: string): Result<readonly string[], string> {
  try {
    if (!statSync(place).isDirectory()) return ok([place]);
    const names = readdirSync(place).filter(isPolicyFile).toSorted();
    if (names.length > MAX_POLICY_FILES) return err(`holds more than ${MAX_POLICY_FILES} policy files.`);
    return ok(names.map((name) => path.join(place, name)));
  } catch {
    if (place.includes('*'))
      return err(`${place} is taken by its letters. Name the folder: all its .cedar files count.`);
    return err(`${place} cannot be read. Create the folder, or remove the entry.`);
  }
}

/**
 * An empty file is one that was cut off: by an editor that is about to write, a full disk, a failed copy. Whoever wants its
 * policies gone removes the file.
 */
function readPolicy(file: string): Result<string, string> {
  try {
    // A named pipe would hold the whole process until somebody writes into it.
    if (!statSync(file).isFile()) return err('is not a regular file.');
  } catch {
    // `readText` says why.
  }
  const text = readText(file);
  if (text.ok && text.value.trim() === '') {
    return err('is empty, which a file is that was cut off. Remove it, or leave a comment in it.');
  }
  return text;
}

export function readText(file: string): Result<string, string> {
  try {
    if (statSync(file).size > MAX_FILE_BYTES) return err(`is larger than ${MAX_FILE_BYTES / 1024} KiB.`);
    return ok(readFileSync(file, 'utf8'));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return err(code === 'ENOENT' ? 'There is no such file.' : `cannot be read (${code}).`);
  }
}
