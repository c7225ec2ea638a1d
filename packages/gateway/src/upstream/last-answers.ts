/**
 * The last good answers of read-only tools whose operator wants them shown while the server is away. An answer belongs to
 * who asked for it: nobody else is ever given it, unless the operator classified the tool as public.
 */

import type { Call } from '../model/call.ts';
import { canonicalJson } from '../model/canonical-json.ts';
import type { Clock } from './clock.ts';

export type LastAnswersLimits = {
  /** One answer; larger ones are not kept. */
  readonly maxAnswerBytes: number;
  /** All of them; the least recently used go first. */
  readonly maxBytes: number;
};

export const DEFAULT_LAST_ANSWERS: LastAnswersLimits = { maxAnswerBytes: 256 * 1024, maxBytes: 32 * 1024 * 1024 };

export type LastAnswer = { readonly text: string; readonly ageMs: number };

/** Arguments of a megabyte are nobody's second question. */
const MAX_KEY_CHARS = 16 * 1024;

type Kept = { readonly text: string; readonly bytes: number; readonly atMs: number };

export class LastAnswers {
  readonly #clock: Clock;
  readonly #limits: LastAnswersLimits;
  /** The least recently used first. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(clock: Clock, limits: LastAnswersLimits = DEFAULT_LAST_ANSWERS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  keep(call: Call, text: string): void {
    const key = keyOf(call);
    // Two bytes a character is what a string may take.
    const bytes = key === undefined ? 0 : 2 * (text.length + key.length);
    if (key === undefined || bytes > this.#limits.maxAnswerBytes) return;
    this.#drop(key);
    this.#kept.set(key, { text, bytes, atMs: this.#clock.nowMs() });
    this.#bytes += bytes;
    while (this.#bytes > this.#limits.maxBytes) {
      const [oldest] = this.#kept.keys();
      if (oldest === undefined) break;
      this.#drop(oldest);
    }
  }

  find(call: Call, maxAgeMs: number): LastAnswer | undefined {
    const key = keyOf(call);
    const kept = key === undefined ? undefined : this.#kept.get(key);
    if (key === undefined || kept === undefined) return undefined;
    const ageMs = this.#clock.nowMs() - kept.atMs;
    if (ageMs > maxAgeMs) {
      this.#drop(key);
      return undefined;
    }
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return { text: kept.text, ageMs };
  }

  #drop(key: string): void {
    const kept = this.#kept.get(key);
    if (kept === undefined) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }
}

/** The tool's definition is part of it: what another version of the server said is no answer of this one. */
function keyOf({ intent, entry }: Call): string | undefined {
  const { operation, principal } = intent.permit;
  if (operation.kind !== 'call-tool') return undefined;
  const { tenant, key } = principal;
  const whose = entry.traits.classification === 'public' ? '' : key;
  const text = canonicalJson([
    tenant,
    whose,
    entry.server.id,
    entry.server.version,
    entry.hash,
    operation.arguments,
    operation.extra ?? null,
  ]);
  return text.length > MAX_KEY_CHARS ? undefined : text;
}
