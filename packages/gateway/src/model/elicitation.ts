/**
 * Questions to the person as every revision since 2025-06-18 words them (MCP 2025-11-25 and 2026-07-28, client/elicitation),
 * and which of them a client may be asked.
 */

import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { Continuation, InputRequired, Outcome } from './outcome.ts';
import type { ClientFacts } from './request.ts';

/** Keys of the gateway's own questions begin so. A server's questions never do, and share no round with ours. */
export const OWN_KEY_PREFIX = 'com.sallyport/';

export type ElicitationModes = { readonly form: boolean; readonly url: boolean };

const NONE: ElicitationModes = Object.freeze({ form: false, url: false });

/** `elicitation: {}` means forms only. 2025-03-26 has no elicitation; links came with 2025-11-25. */
export function elicitationModes({ capabilities, revision }: ClientFacts): ElicitationModes {
  const declared = capabilities.elicitation;
  if (!isJsonObject(declared) || revision === '2025-03-26') return NONE;
  const url = declared.url !== undefined;
  return { form: declared.form !== undefined || !url, url: url && revision !== '2025-06-18' };
}

/**
 * What a client can be asked, in the words of 2026-07-28: those of its capabilities that questions are about. Sampling and
 * roots are deprecated, and work.
 */
export function askableCapabilities(client: ClientFacts): JsonObject {
  const { form, url } = elicitationModes(client);
  const { sampling, roots } = client.capabilities;
  return {
    ...(form || url ? { elicitation: { ...(form ? { form: {} } : {}), ...(url ? { url: {} } : {}) } } : {}),
    ...(isJsonObject(sampling) ? { sampling } : {}),
    // That its list changes is said in a notification, which no revision without sessions has.
    ...(isJsonObject(roots) ? { roots: {} } : {}),
  };
}

export const formQuestion = (message: string, requestedSchema: JsonObject) => ({
  method: 'elicitation/create',
  params: { mode: 'form', message, requestedSchema },
});

export const linkQuestion = (message: string, url: string) => ({
  method: 'elicitation/create',
  params: { mode: 'url', message, url },
});

/** An `ElicitResult`, read from what any client may have sent. Undefined when it is none. */
export type Elicited =
  | { readonly action: 'accept'; readonly content: JsonObject }
  | { readonly action: 'decline' | 'cancel' };

export function readElicited(answer: Json | undefined): Elicited | undefined {
  if (!isJsonObject(answer)) return undefined;
  const { action, content } = answer;
  if (action === 'decline' || action === 'cancel') return { action };
  return action === 'accept' ? { action, content: isJsonObject(content) ? content : {} } : undefined;
}

/** A question that a client can be asked: it is known what its answer belongs to. */
export function isQuestion(outcome: Outcome): outcome is InputRequired & { readonly continuation: Continuation } {
  return outcome.kind === 'input-required' && outcome.continuation !== undefined;
}
