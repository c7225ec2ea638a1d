/** What people ask of a record, as they type it: filters, times, and which file. */

import { recordedRun } from '../audit/claimed.ts';
import type { AuditQuery } from '../audit/search.ts';
import { RECORD_KINDS, type RecordKind } from '../audit/told-record.ts';
import { loadConfig } from '../config/load.ts';
import { CommandError, TYPED } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT } from './exit-code.ts';
import { pastInstant } from './past-instant.ts';

export type AuditFilters = {
  readonly who?: string;
  readonly tool?: string;
  readonly server?: string;
  readonly client?: string;
  readonly tenant?: string;
  readonly kind?: string;
  readonly run?: string;
  readonly since?: string;
  readonly until?: string;
  readonly decision?: string;
  readonly outcome?: string;
  readonly request?: string;
  readonly text?: string;
};

/** Which record: a file by name, or the one that a configuration names. */
export type RecordFile = { readonly file?: string; readonly config: string };

export function auditFile({ env }: CommandContext, { file, config }: RecordFile): string {
  if (file !== undefined) return file;
  const loaded = loadConfig(config, { env });
  if (loaded.ok) return loaded.value.config.audit.file;
  const hint = `Name it, for example ${TYPED} audit search data/audit.jsonl or ${TYPED} trace <id> --file data/audit.jsonl`;
  throw new CommandError(`${config} cannot be used, so the audit file is not known.`, EXIT.failed, hint);
}

/** @throws CommandError for what cannot be understood. */
export function queryOf(filters: AuditFilters, nowMs: number): AuditQuery {
  const { who, tool, server, client, tenant, kind, run, since, until, decision, outcome, request, text } = filters;
  if (decision !== undefined && decision !== 'allowed' && decision !== 'denied') {
    throw new CommandError(`There is no decision "${decision}".`, EXIT.usage, 'A decision is allowed or denied.');
  }
  return {
    ...(who === undefined ? {} : { who }),
    ...(tool === undefined ? {} : { tool }),
    ...(server === undefined ? {} : { server }),
    ...(client === undefined ? {} : { client }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(kind === undefined ? {} : { kind: kindOf(kind) }),
    ...(run === undefined ? {} : { run: recordedRun(run) }),
    ...(since === undefined ? {} : { sinceMs: pastInstant(since, nowMs) }),
    ...(until === undefined ? {} : { untilMs: pastInstant(until, nowMs) }),
    ...(decision === undefined ? {} : { decision }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(request === undefined ? {} : { request }),
    ...(text === undefined ? {} : { text }),
  };
}

function kindOf(text: string): RecordKind {
  const kind = RECORD_KINDS.find((one) => one === text);
  if (kind !== undefined) return kind;
  throw new CommandError(
    `There are no records of the kind "${text}".`,
    EXIT.usage,
    `Kinds: ${RECORD_KINDS.join(', ')}.`,
  );
}

const MAX_LIMIT = 100_000;

export function limitOf(text: string): number {
  const limit = Number(text);
  if (Number.isSafeInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new CommandError(`"${text}" is no limit.`, EXIT.usage, `A limit is a number from 1 to ${MAX_LIMIT}.`);
}

export function unreadable(file: string, error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  const message = code === 'ENOENT' ? `There is no file ${file}.` : `${file} cannot be read (${code}).`;
  const hint = `The audit file stands under "audit" in the configuration. Name it: ${TYPED} audit search <file>, ${TYPED} trace <id> --file <file>`;
  return new CommandError(message, EXIT.failed, hint, error);
}
