/** The pieces of configuration in a page of the documentation: what it shows is what runs. */

import { readFileSync } from 'node:fs';

import { scriptPath } from './child.ts';

/** All blocks of `language`, in order. */
export function docSnippets(page: string, language: string): readonly string[] {
  const text = readFileSync(scriptPath(`../docs/${page}`), 'utf8');
  const found = [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gmsu'))];
  return found.map(([, snippet]) => snippet ?? '');
}
