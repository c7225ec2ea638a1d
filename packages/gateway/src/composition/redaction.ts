/** What is taken out of everything that is written, and the bodies that are kept where the configuration wants them. */

import { randomBytes } from 'node:crypto';

import type { BodiesLog } from '../audit/bodies.ts';
import { createBodyKeeper, type BodyKeeper } from '../audit/body-keeper.ts';
import { shownBody, type BodyStore } from '../audit/body-store.ts';
import type { Config } from '../config/config.ts';
import type { RedactionConfig } from '../config/recorded-config.ts';
import { createRedactor, createRedactText, type ClosableRedactor } from '../guard/redaction/create-redactor.ts';
import { compileCustomPattern } from '../guard/redaction/custom-patterns.ts';
import type { BodyRedactor, Redactor } from '../model/redaction.ts';
import type { KeptBodies } from '../pipeline/oversee.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';

/** `redaction` cannot be used. The message says which pattern, and why. */
export class RedactionError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'RedactionError';
  }
}

/** @throws RedactionError */
export const composeRedactor = (config: RedactionConfig): ClosableRedactor => createRedactor(checked(config));

/** For a logger, which writes nothing but texts. @throws RedactionError */
export const composeRedactText = (config: RedactionConfig): Redactor['text'] => createRedactText(checked(config));

/** What is wrong with the patterns of a configuration, each in a sentence. */
export const patternProblems = ({ patterns }: RedactionConfig): readonly string[] =>
  patterns.flatMap((pattern) => {
    const compiled = compileCustomPattern(pattern);
    return compiled.ok ? [] : [`redaction.patterns "${pattern.name}": ${compiled.error}.`];
  });

function checked(config: RedactionConfig): RedactionConfig {
  const [problem] = patternProblems(config);
  if (problem !== undefined) throw new RedactionError(problem);
  return config;
}

/** For auditors, also of what was kept before it was switched off. */
export const shownBodies = (store: Pick<BodyStore, 'get'>): KeptBodies => ({
  async get(request, tenant) {
    const body = await store.get(request, tenant);
    return body === undefined ? undefined : shownBody(body);
  },
});

export type BodyParts = {
  readonly config: Config;
  readonly redactor: BodyRedactor;
  readonly store: BodyStore;
  readonly record: BodiesLog;
  readonly instruments: Instruments;
  readonly logger: Logger;
};

/** Undefined where no bodies are to be kept. Close it before the record and the storage. */
export function composeBodies({ config, ...parts }: BodyParts): BodyKeeper | undefined {
  const { bodies } = config.audit;
  if (bodies === undefined) return undefined;
  return createBodyKeeper({
    ...bodies,
    ...parts,
    now: Date.now,
    randomBytes,
    after(delayMs, task) {
      // Unlike the clock's own: it is waited for when the gateway stops.
      const timer = setTimeout(task, delayMs);
      return () => clearTimeout(timer);
    },
  });
}
