/**
 * The policies in force. A change of a policy file, of a folder of them or of an `allow` list is read, judged and swapped in
 * whole, or refused whole: then the old set goes on deciding, and log, status and metrics say so.
 */

import type { CedarAuthorizer } from '../authz/cedar-authorizer.ts';
import { describeProblem } from '../authz/policy-problem.ts';
import type { ReportedPolicies } from '../catalog/status-report.ts';
import { loadConfig, type LoadedConfig } from '../config/load.ts';
import { policyPlaces } from '../config/policy-sources.ts';
import type { NoteEvent } from '../model/event.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { Logger } from '../telemetry/logger.ts';
import { policiesRefused, policiesSwapped } from './policy-events.ts';
import { judgeReload, samePolicies, type Reloaded } from './policy-reload.ts';
import { watchPolicies, type Delay } from './policy-watch.ts';
import { authorizerOf, logWarnings, unwrapPolicies } from './policy.ts';

export type LivePolicies = {
  /** Ask once per request: a request is judged by one set. */
  readonly current: CedarAuthorizer;
  report(): ReportedPolicies;
  /** Another set is in force. @returns How to stop listening. */
  onSwap(listener: () => void): () => void;
  /** Reads the files now, changed or not. Resolves when what they say is in force, or refused. */
  reload(): Promise<void>;
  close(): void;
};

export type LivePoliciesOptions = {
  readonly loaded: LoadedConfig;
  readonly logger: Logger;
  readonly instruments: Instruments;
  /** For the record: what was swapped, and what was refused. */
  readonly note: NoteEvent;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

const MAX_PROBLEMS = 20;

const DELAYS: Readonly<Record<Delay, string>> = {
  'no-answer': 'The files of the policies do not answer: is a network mount away?',
  'still-changing': 'The files of the policies keep changing. They are read once they are left alone.',
};

/** @throws PolicyError when the configuration's own policies cannot be used. */
export function createLivePolicies({ loaded, logger, instruments, note, now }: LivePoliciesOptions): LivePolicies {
  const { file, env, overrides, config: started } = loaded;
  let inForce = started;
  let current = unwrapPolicies(authorizerOf(started));
  logWarnings(current, logger);
  let sinceMs = now();
  let refused: ReportedPolicies['refused'];
  let restart: readonly string[] = [];
  let places = policyPlaces(file);
  const listeners = new Set<() => void>();
  /** Calls of `reload` that are waited for: then it was asked for, and not noticed. */
  let asked = 0;
  const by = (): string => (asked > 0 ? 'reload signal' : 'watched file');
  instruments.policiesRefused(false);

  function refuse(problems: readonly string[]): void {
    const told = problems.slice(0, MAX_PROBLEMS);
    if (JSON.stringify(told) === JSON.stringify(refused?.problems)) return;
    refused = { sinceMs: refused?.sinceMs ?? now(), problems: told };
    instruments.policiesReloaded('refused');
    instruments.policiesRefused(true);
    note(policiesRefused({ file, by: by(), version: current.version, problems }));
    logger.error(
      { problems: told, more: problems.length - told.length, version: current.version },
      'policies refused: the set that was in force goes on deciding',
    );
  }

  function accept(reloaded: Reloaded, made: CedarAuthorizer | undefined): void {
    if (refused !== undefined) logger.info({ version: current.version }, 'the policies can be used again');
    refused = undefined;
    instruments.policiesRefused(false);
    const before = inForce;
    inForce = reloaded.config;
    if (made !== undefined && made.version !== current.version) {
      const { version } = current;
      current = made;
      sinceMs = now();
      instruments.policiesReloaded('swapped');
      logger.info({ version: made.version, before: version, policies: made.policyCount }, 'policies swapped');
      note(
        policiesSwapped({
          file,
          by: by(),
          from: { config: before, version },
          to: { config: inForce, version: made.version },
        }),
      );
      logWarnings(made, logger);
      for (const listener of listeners) listener();
    }
    noteRestart(reloaded.restart);
  }

  function noteRestart(settings: readonly string[]): void {
    if (settings.length > 0 && settings.join() !== restart.join()) {
      logger.warn({ file, settings }, 'only policies and allow lists are in force at once; the rest takes a restart');
    }
    restart = settings;
  }

  /** What to do about the files as they are now, unless they change while this looks at them. */
  function read(): () => void {
    const listed = policyPlaces(file);
    // A file that cannot be read names no places: look where they were.
    if (listed.length > 0) places = listed;
    const judged = judgeReload(loadConfig(file, { env, overrides }), { started, inForce, places });
    if (!judged.ok) return () => refuse(judged.error);
    if (samePolicies(judged.value.config, inForce)) return () => accept(judged.value, undefined);
    const made = authorizerOf(judged.value.config);
    return made.ok ? () => accept(judged.value, made.value) : () => refuse(made.error.map(describeProblem));
  }

  const watch = watchPolicies({
    watched: () => ({ file, places }),
    read() {
      try {
        return read();
      } catch (error) {
        return () => refuse([`The policies could not be read: ${String(error)}`]);
      }
    },
    delayed: (why) => refuse([DELAYS[why]]),
  });
  return {
    get current() {
      return current;
    },
    report: () => ({
      version: current.version,
      count: current.policyCount,
      sinceMs,
      ...(refused === undefined ? {} : { refused }),
      ...(restart.length === 0 ? {} : { restart }),
    }),
    onSwap(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async reload() {
      asked += 1;
      try {
        await watch.reload();
      } finally {
        asked -= 1;
      }
    },
    close: () => watch.close(),
  };
}
