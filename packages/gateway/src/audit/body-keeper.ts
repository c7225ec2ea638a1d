/**
 * Keeps bodies where the operator wants them kept: redacted in their thread, stored in small batches behind the calls, and
 * told to the record once they are stored, or why they are not. No call waits for it, and nothing of it is silent.
 */

import { globMatches } from '../model/glob.ts';
import type { BodyRedactor, EncodedBody, RawBody } from '../model/redaction.ts';
import type { ToolEntry } from '../model/target.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { BodiesLog, BodiesWord, Bodies, TakenBodies } from './bodies.ts';
import type { BodyStore, StoredBody } from './body-store.ts';
import { commitmentOf, SALT_BYTES } from './commitment.ts';

export type BodyKeeperOptions = {
  /** Patterns over `server/tool`. */
  readonly tools: readonly string[];
  readonly arguments: boolean;
  readonly results: boolean;
  readonly maxBytes: number;
  readonly keepMs: number;
  readonly redactor: BodyRedactor;
  readonly store: BodyStore;
  readonly record: BodiesLog;
  readonly instruments: Pick<Instruments, 'bodies'>;
  readonly logger: Logger;
  readonly now: () => number;
  readonly randomBytes: (bytes: number) => Uint8Array;
  /** Runs a task later; the returned function prevents it. */
  readonly after: (delayMs: number, task: () => void) => () => void;
  /** Calls whose bodies are on their way; those of more are withheld. Default 1,000. */
  readonly maxPending?: number;
  /** Characters of those that wait for the store. Default 32 Mi. */
  readonly maxWaitingChars?: number;
  /** How long a store that fails is tried again. Default 30,000. */
  readonly giveUpMs?: number;
  readonly retryMs?: number;
};

export interface BodyKeeper extends Bodies {
  /** Stores what is on its way, for at most `graceMs` (default 5,000); what is left then is recorded as lost. */
  close(graceMs?: number): Promise<void>;
}

const DEFAULTS = { maxPending: 1_000, maxWaitingChars: 32 * 1_048_576, giveUpMs: 30_000, retryMs: 500 };

/** One transaction: over in a few milliseconds. */
const BATCH = 16;
const BATCH_CHARS = 262_144;

type Ready = { readonly body: StoredBody; readonly word: Omit<BodiesWord, 'state'>; readonly readyAtMs: number };

export function createBodyKeeper(options: BodyKeeperOptions): BodyKeeper {
  return new Keeper({ ...DEFAULTS, ...options });
}

class Keeper implements BodyKeeper {
  readonly #options: Required<BodyKeeperOptions>;
  /** Entries are replaced with their snapshot; so is what was found out about them. */
  readonly #wanted = new WeakMap<ToolEntry, boolean>();
  readonly #ready: Ready[] = [];
  #readyChars = 0;
  #pending = 0;
  #storing: Promise<void> | undefined;
  #failing = false;
  #closed = false;
  #idle: PromiseWithResolvers<void> | undefined;

  constructor(options: Required<BodyKeeperOptions>) {
    this.#options = options;
  }

  wants(tool: ToolEntry): { readonly resultBytes: number } | undefined {
    let wanted = this.#wanted.get(tool);
    if (wanted === undefined) {
      const address = `${tool.server.id}/${tool.name}`;
      wanted = this.#options.tools.some((pattern) => globMatches(pattern, address));
      this.#wanted.set(tool, wanted);
    }
    if (!wanted) return undefined;
    return { resultBytes: this.#options.results ? this.#options.maxBytes : 0 };
  }

  keep(taken: TakenBodies): void {
    if (
      this.#closed ||
      this.#pending >= this.#options.maxPending ||
      this.#readyChars >= this.#options.maxWaitingChars
    ) {
      this.#tell({ ...this.#wordOf(taken), state: 'withheld', because: 'overloaded' });
      return;
    }
    this.#pending += 1;
    void this.#redact(taken).finally(() => this.#settled());
  }

  async close(graceMs = 5_000): Promise<void> {
    this.#closed = true;
    if (this.#pending > 0 || this.#ready.length > 0 || this.#storing !== undefined) {
      this.#idle = Promise.withResolvers();
      const cancel = this.#options.after(graceMs, () => this.#idle?.resolve());
      await this.#idle.promise;
      cancel();
    }
    for (const { word } of this.#ready.splice(0))
      this.#tell({ ...word, state: 'lost', because: 'the gateway was stopped' });
  }

  async #redact(taken: TakenBodies): Promise<void> {
    const args = this.#options.arguments && taken.arguments !== undefined ? { value: taken.arguments } : undefined;
    const [input, output] = await Promise.all([
      this.#encoded(args, taken.tool, 'arguments'),
      this.#encoded(taken.result, taken.tool, 'result'),
    ]);
    const word = {
      ...this.#wordOf(taken),
      ...(input && { arguments: input.said }),
      ...(output && { result: output.said }),
    };
    const content = contentOf(input?.text, output?.text);
    if (content === undefined) {
      if (input !== undefined || output !== undefined) this.#tell({ ...word, state: 'withheld' });
      return;
    }
    const { now, keepMs, randomBytes } = this.#options;
    const { tool, principal, requestId } = taken;
    const nowMs = now();
    const body: StoredBody = {
      requestId,
      tenant: principal.tenant,
      issuer: principal.issuer,
      subject: principal.subject,
      name: principal.name,
      address: `${tool.server.id}/${tool.name}`,
      madeAtMs: nowMs,
      expiresAtMs: nowMs + keepMs,
      salt: Buffer.from(randomBytes(SALT_BYTES)).toString('hex'),
      content,
    };
    this.#ready.push({ body, word: { ...word, commitment: commitmentOf(body) }, readyAtMs: nowMs });
    this.#readyChars += content.length;
    this.#storing ??= this.#store();
  }

  async #encoded(
    body: RawBody | undefined,
    tool: ToolEntry,
    part: 'arguments' | 'result',
  ): Promise<EncodedPart | undefined> {
    if (body === undefined) return undefined;
    const { redactor, maxBytes } = this.#options;
    return saidOf(await redactor.encoded(body, { server: tool.server.id, name: tool.name, part }, maxBytes));
  }

  /** Until nothing is left; a store that fails is tried again, each body for `giveUpMs`. */
  async #store(): Promise<void> {
    const { store, now, giveUpMs, retryMs, after } = this.#options;
    for (let batch = this.#batch(); batch.length > 0; batch = this.#batch()) {
      try {
        await store.put(batch.map(({ body }) => body));
        this.#failing = false;
        this.#taken(batch.length);
        for (const { word } of batch) this.#tell({ ...word, state: 'stored' });
      } catch (error) {
        this.#failed(error);
        const over = batch.filter(({ readyAtMs }) => now() - readyAtMs >= giveUpMs).length;
        this.#taken(over);
        for (const { word } of batch.slice(0, over))
          this.#tell({ ...word, state: 'lost', because: 'the storage failed' });
        await new Promise<void>((resolve) => void after(retryMs, resolve));
      }
      if (this.#closed && this.#idle === undefined) break;
    }
    this.#storing = undefined;
    this.#settleIdle();
  }

  #batch(): readonly Ready[] {
    let chars = 0;
    const batch: Ready[] = [];
    for (const ready of this.#ready) {
      chars += ready.body.content.length;
      if (batch.length > 0 && (batch.length === BATCH || chars > BATCH_CHARS)) break;
      batch.push(ready);
    }
    return batch;
  }

  #taken(count: number): void {
    for (const { body } of this.#ready.splice(0, count)) this.#readyChars -= body.content.length;
  }

  #failed(error: unknown): void {
    // Once per outage, not once per attempt.
    if (!this.#failing) this.#options.logger.error({ reason: String(error), waiting: this.#ready.length }, FAILING);
    this.#failing = true;
  }

  #settled(): void {
    this.#pending -= 1;
    this.#settleIdle();
  }

  #settleIdle(): void {
    if (this.#pending === 0 && this.#ready.length === 0 && this.#storing === undefined) this.#idle?.resolve();
  }

  #wordOf({ requestId, tool, principal, endpoint }: TakenBodies): Omit<BodiesWord, 'state'> {
    return { requestId, tool, principal, endpoint, timeMs: this.#options.now() };
  }

  #tell(word: BodiesWord): void {
    const { instruments, logger, record } = this.#options;
    instruments.bodies(word.state);
    if (word.state === 'lost') logger.error({ requestId: word.requestId, because: word.because }, LOST);
    record.kept(word);
  }
}

type EncodedPart = { readonly said: NonNullable<BodiesWord['arguments']>; readonly text?: string };

function saidOf(body: EncodedBody): EncodedPart {
  if (body.kind === 'withheld') return { said: { withheld: body.because } };
  const { text, rules, cut } = body;
  return { said: { bytes: Buffer.byteLength(text), cut, rules }, text };
}

/** The texts as they are: no JSON is made anew of what a commitment is of. */
function contentOf(args: string | undefined, result: string | undefined): string | undefined {
  const parts = [
    ...(args === undefined ? [] : [`"arguments":${args}`]),
    ...(result === undefined ? [] : [`"result":${result}`]),
  ];
  return parts.length === 0 ? undefined : `{${parts.join(',')}}`;
}

const FAILING = 'bodies of calls cannot be stored: they wait in memory up to a bound, and are tried again';
const LOST = 'the bodies of a call could not be stored and are lost; the record says so';
