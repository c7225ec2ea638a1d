/** The thread that looks at bodies: one at a time, until it is ended from outside. What it was given it forgets. */

import { parentPort, workerData } from 'node:worker_threads';

import type { EncodedBody, PersonalData } from '../../model/redaction.ts';
import { compileCustomPattern, type CustomPattern } from './custom-patterns.ts';
import { encodeBody, type BodyJob, type EncodeParts } from './encode-body.ts';
import { createTextRedactor } from './redact-text.ts';
import { loadSecretlint } from './secretlint-pass.ts';
import type { ToolRule } from './tool-rules.ts';

/** What the thread is started with. */
export type RedactionRules = {
  readonly personal: readonly PersonalData[];
  readonly patterns: readonly CustomPattern[];
  readonly tools: readonly ToolRule[];
};

export type ThreadJob = BodyJob & { readonly id: number };

/** `body` is absent when it could not be looked at: a fault of ours, told by its kind alone, because a message might quote. */
export type ThreadAnswer = { readonly id: number; readonly body?: EncodedBody; readonly fault?: string };

const rules: RedactionRules = workerData;
const patterns = rules.patterns.flatMap((pattern) => {
  const compiled = compileCustomPattern(pattern);
  return compiled.ok ? [compiled.value] : [];
});
const parts: EncodeParts = {
  redactor: createTextRedactor(new Set(rules.personal), patterns),
  tools: rules.tools,
  secretlint: await loadSecretlint(),
};

async function answer({ id, ...job }: ThreadJob): Promise<void> {
  let done: ThreadAnswer;
  try {
    done = { id, body: await encodeBody(job, parts) };
  } catch (error) {
    done = { id, fault: error instanceof Error ? error.name : 'unknown' };
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(done);
}

parentPort?.on('message', (job: ThreadJob) => {
  void answer(job);
});
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
parentPort?.postMessage('ready');
