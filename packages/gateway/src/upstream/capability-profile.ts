/**
 * What a legacy server is told that it may ask. Its session says so once and serves many calls, so only clients that can
 * answer the same share one. There are few profiles, whatever clients declare: what is no known word is not in one.
 */

import { askableCapabilities } from '../model/elicitation.ts';
import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { ClientFacts } from '../model/request.ts';

export type CapabilityProfile = {
  /** Equal for equal capabilities; empty when nothing can be asked. Part of what sessions are kept under. */
  readonly key: string;
  /** In the words of 2026-07-28. */
  readonly capabilities: JsonObject;
};

/** Of sessions that belong to no client, and of modern servers, which hear it with each request. */
export const NO_PROFILE: CapabilityProfile = Object.freeze({ key: '', capabilities: Object.freeze({}) });

/** The members of `sampling` since 2025-11-25. */
const SAMPLING_WORDS = ['tools', 'context'] as const;

export function capabilityProfile(client: ClientFacts): CapabilityProfile {
  const { elicitation, sampling, roots } = askableCapabilities(client);
  if (elicitation === undefined && sampling === undefined && roots === undefined) return NO_PROFILE;
  const capabilities = {
    ...(elicitation === undefined ? {} : { elicitation }),
    ...(sampling === undefined ? {} : { sampling: knownWords(sampling) }),
    ...(roots === undefined ? {} : { roots }),
  };
  return profileWith(capabilities);
}

/** Of what a session was told. */
export const profileWith = (capabilities: JsonObject): CapabilityProfile =>
  Object.keys(capabilities).length === 0 ? NO_PROFILE : { key: JSON.stringify(capabilities), capabilities };

const knownWords = (sampling: Json): JsonObject =>
  Object.fromEntries(
    SAMPLING_WORDS.flatMap((word) => (isJsonObject(sampling) && sampling[word] !== undefined ? [[word, {}]] : [])),
  );
