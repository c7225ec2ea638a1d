/** `sallyport audit body`: what a call was made with and answered, as far as it is kept, and whether the record proves it. */

import { readLine } from '../audit/chain.ts';
import { shownBody, type StoredBody } from '../audit/body-store.ts';
import { commitmentOf } from '../audit/commitment.ts';
import { recordedBodies, type RecordedBodies } from '../audit/person-records.ts';
import { withBodies } from './body-store.ts';
import { requireConfig } from './check.ts';
import type { CommandContext } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { recordLines } from './record-lines.ts';

export type AuditBodyOptions = { readonly request: string; readonly config: string; readonly json: boolean };

export async function auditBody(context: CommandContext, options: AuditBodyOptions): Promise<ExitCode> {
  const { terminal } = context;
  const { request, json } = options;
  const loaded = requireConfig(context, options.config);
  const said = await recorded(loaded.config.audit.file, request);
  const body = await withBodies(loaded, ({ store }) => store.get(request, said?.tenant));
  const proof = proofOf(body, said);
  if (json)
    terminal.out(JSON.stringify({ request, proof: proof.word, ...(body === undefined ? {} : shownBody(body)) }));
  else if (body !== undefined) terminal.out(JSON.stringify(shownBody(body), null, 2));
  const paint = proof.word === 'proved' ? terminal.green : proof.word === 'gone' ? terminal.yellow : terminal.red;
  terminal.err(`${paint(proof.word)}: ${proof.message}`);
  return proof.word === 'proved' ? EXIT.done : EXIT.failed;
}

/** The newest word that the record has; a line that was changed counts for nothing. */
async function recorded(file: string, request: string): Promise<RecordedBodies | undefined> {
  let said: RecordedBodies | undefined;
  for await (const line of recordLines(file)) {
    const found = recordedBodies(line, request);
    if (found !== undefined && readLine(line)?.intact === true) said = found;
  }
  return said;
}

export type Proof = { readonly word: 'proved' | 'changed' | 'unproved' | 'gone'; readonly message: string };

export function proofOf(body: StoredBody | undefined, said: RecordedBodies | undefined): Proof {
  if (body === undefined) {
    if (said === undefined)
      return { word: 'gone', message: 'no bodies are kept of this request, and the record knows of none.' };
    const why =
      said.state === 'stored'
        ? 'they were stored, and have been erased or their time is over'
        : `they were ${said.state}`;
    return { word: 'gone', message: `${why}; the record keeps its word of them.` };
  }
  if (said?.commitment === undefined) {
    return { word: 'unproved', message: 'the record has no commitment to this body (yet, or in these files).' };
  }
  return commitmentOf(body) === said.commitment
    ? { word: 'proved', message: `this is what the record committed to, ${said.commitment}.` }
    : { word: 'changed', message: 'the stored body is not the one that the record committed to.' };
}
