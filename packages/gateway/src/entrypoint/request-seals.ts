/**
 * The sealed values of one request: list cursors and task ids, bound to the caller and to the endpoint that made them, and
 * the state between a question and its answer, bound to the request as well.
 */

import { hash } from 'node:crypto';

import { isJsonObject, type Json, type JsonObject } from '../model/json.ts';
import type { Cursor, Operation } from '../model/operation.ts';
import type { Continuation } from '../model/outcome.ts';
import type { PrincipalKey } from '../model/principal.ts';
import type { Result } from '../model/result.ts';
import { err, ok } from '../model/result.ts';
import type { Seals } from '../protocol/codec.ts';
import { readTaskRef } from '../model/task.ts';
import type { Sealer } from '../seal/sealer.ts';
import { openTask, sealTask } from './task-seals.ts';

export type SealsOptions = {
  readonly sealer: Sealer;
  readonly path: string;
  readonly cursorLifetimeMs: number;
  readonly stateLifetimeMs: number;
  readonly taskLifetimeMs: number;
  readonly digestArguments: (args: JsonObject) => string;
};

type OpenedState = { readonly continuation: Continuation; readonly sealedFor: PrincipalKey };

/** Serves as `Seals` and as its `cursor`, so that a request needs one object. `principal` is set once it is known. */
export class RequestSeals implements Seals {
  principal: PrincipalKey | undefined;
  readonly #options: SealsOptions;

  constructor(options: SealsOptions) {
    this.#options = options;
  }

  get cursor(): this {
    return this;
  }

  get state(): Seals['state'] {
    return {
      seal: (continuation, operation) => this.#sealState(continuation, operation),
      open: (text, operation) => this.#openState(text, operation),
    };
  }

  get task(): Seals['task'] {
    const { sealer, path, taskLifetimeMs: lifetimeMs } = this.#options;
    const options = { sealer, path, lifetimeMs };
    return {
      seal: (ref) => sealTask(ref, this.#owner(), options),
      open: (taskId) => openTask(taskId, options),
    };
  }

  seal({ offset, generation }: Cursor): string {
    const { sealer, path, cursorLifetimeMs } = this.#options;
    return sealer.seal('cursor', { o: offset, g: generation, k: this.#owner(), p: path }, cursorLifetimeMs);
  }

  open(text: string): { readonly cursor: Cursor; readonly sealedFor: PrincipalKey } | undefined {
    const opened = this.#options.sealer.open('cursor', text);
    if (!opened.ok) return undefined;
    const { o, g, k, p } = opened.value;
    if (typeof o !== 'number' || typeof g !== 'string' || typeof k !== 'string') return undefined;
    return p === this.#options.path ? { cursor: { offset: o, generation: g }, sealedFor: k } : undefined;
  }

  #owner(): PrincipalKey {
    if (this.principal === undefined) throw new Error('A value can be sealed only for a known principal.');
    return this.principal;
  }

  #sealState(continuation: Continuation, operation: Operation): string {
    const { sealer, path, stateLifetimeMs } = this.#options;
    const payload = { c: continuation, k: this.#owner(), p: path, d: this.#digestOf(operation) };
    return sealer.seal('request-state', payload, stateLifetimeMs);
  }

  #openState(text: string, operation: Operation): Result<OpenedState, string> {
    const opened = this.#options.sealer.open('request-state', text);
    if (!opened.ok) return err(`the state is ${opened.error}`);
    const { c, k, p, d } = opened.value;
    const continuation = readContinuation(c);
    if (continuation === undefined || typeof k !== 'string')
      return err('the state has a shape that is not used any more');
    if (p !== this.#options.path) return err('the state belongs to another endpoint');
    if (d !== this.#digestOf(operation)) return err('the state belongs to another request');
    return ok({ continuation, sealedFor: k });
  }

  /** Which request, in the client's own words: its kind, its name and its arguments. */
  #digestOf(operation: Operation): string {
    switch (operation.kind) {
      case 'call-tool':
      case 'get-prompt':
        return this.#digest([operation.kind, operation.name, this.#options.digestArguments(operation.arguments)]);
      case 'read-resource':
        return this.#digest([operation.kind, operation.uri]);
      default:
        throw new Error(`A ${operation.kind} request is never answered with a question.`);
    }
  }

  #digest(parts: readonly string[]): string {
    return hash('sha256', JSON.stringify(parts), 'base64url');
  }
}

/** Sealed by us, maybe by an older version of us. */
function readContinuation(value: Json | undefined): Continuation | undefined {
  if (!isJsonObject(value)) return undefined;
  if (value.kind === 'upstream') return readUpstream(value);
  if (value.kind === 'parked') return readParked(value);
  if (value.kind === 'task') return readTask(value);
  if (value.kind === 'connect') return readConnect(value);
  if (value.kind !== 'approval' || typeof value.approvalId !== 'string') return undefined;
  const { approvalId } = value;
  return value.linkGiven === true
    ? { kind: 'approval', approvalId, linkGiven: true }
    : { kind: 'approval', approvalId };
}

function readUpstream({ server, version, state }: JsonObject): Continuation | undefined {
  if (typeof server !== 'string' || typeof version !== 'string') return undefined;
  const own = { kind: 'upstream', server, version } as const;
  return typeof state === 'string' ? { ...own, state } : own;
}

function readConnect({ server, linkGiven, sinceMs, scopes }: JsonObject): Continuation | undefined {
  if (typeof server !== 'string') return undefined;
  return {
    kind: 'connect',
    server,
    ...(linkGiven === true ? { linkGiven } : {}),
    ...(typeof sinceMs === 'number' ? { sinceMs } : {}),
    ...(Array.isArray(scopes) ? { scopes: scopes.filter((scope) => typeof scope === 'string') } : {}),
  };
}

function readParked({ server, version, owner, parkedCallId, approvedBy }: JsonObject): Continuation | undefined {
  if (typeof server !== 'string' || typeof version !== 'string') return undefined;
  if (typeof owner !== 'string' || typeof parkedCallId !== 'string') return undefined;
  const parked = { kind: 'parked', server, version, owner, parkedCallId } as const;
  return typeof approvedBy === 'string' ? { ...parked, approvedBy } : parked;
}

function readTask({ ref, waitId, reached }: JsonObject): Continuation | undefined {
  const task = readTaskRef(ref);
  if (task === undefined || typeof waitId !== 'string') return undefined;
  const own = { kind: 'task', ref: task, waitId } as const;
  return typeof reached === 'number' ? { ...own, reached } : own;
}
