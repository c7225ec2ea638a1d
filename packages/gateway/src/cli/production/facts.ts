/** What the checklist is judged by: everything that was looked at, before anything is said about it. */

import type { Config } from '../../config/config.ts';
import type { ConfigProblem } from '../../config/problem.ts';
import type { ReferenceKind } from '../../credential/secret-source.ts';
import type { ReportedCredential, ReportedDependency } from '../../catalog/status-report.ts';

export type ProductionFacts = {
  readonly config: Config;
  /** What is wrong with the file and keeps nothing else from working. */
  readonly problems: readonly Pick<ConfigProblem, 'path' | 'message' | 'server'>[];
  readonly policies: PolicyFacts;
  /** The configuration file and the policy files. */
  readonly ownFiles: readonly Place[];
  readonly keyRing: Place;
  readonly references: readonly ReferenceFacts[];
  readonly storedKeys: StoredKeyFacts;
  readonly audit: AuditFacts;
  readonly running: RunningFacts;
  readonly prometheus: PrometheusFacts;
  readonly backup: BackupFacts;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
};

export type PolicyFacts = {
  /** Policies of files and `allow` lists together; undefined when they cannot be used. */
  readonly count: number | undefined;
  /** Ids of those that let everybody call every tool. */
  readonly permitEverything: readonly string[];
};

/** `mode` are the permission bits; undefined where the system has none. */
export type Place = { readonly path: string } & (
  | { readonly state: 'there'; readonly mode: number | undefined }
  | { readonly state: 'missing' }
  | { readonly state: 'unreadable'; readonly reason: string }
);

/** A secret that the configuration refers to. */
export type ReferenceFacts = {
  /** `env:NAME` or `file:/path`. */
  readonly name: string;
  /** `servers.crm.headers.Authorization` */
  readonly usedBy: string;
  readonly kind: ReferenceKind;
  /** Why it leads nowhere now; undefined when it does not. */
  readonly fault?: string;
  readonly mode?: number;
  /** The account in what it leads to, where that may do everything. */
  readonly administrator?: string;
  /** Of a token: scopes that reach far. */
  readonly broadScopes?: readonly string[];
};

export type StoredKeyFacts =
  | { readonly state: 'none' }
  | { readonly state: 'not-asked' }
  | { readonly state: 'away'; readonly reason: string }
  | { readonly state: 'read'; readonly good: number; readonly endless: readonly string[] };

export type AuditFacts = {
  readonly file: Place;
  /** The nearest folder that exists. */
  readonly folder: string;
  readonly writable: boolean;
  readonly freeBytes: number | undefined;
  /** `disk` is what is neither of the others. */
  readonly medium: 'disk' | 'memory' | 'container' | 'network' | 'unknown';
};

export type RunningFacts =
  | { readonly state: 'away'; readonly url: string | undefined }
  | {
      readonly state: 'answers';
      readonly url: string;
      /** Lines of /metrics that are samples; undefined when it is not what it should be. */
      readonly series: number | undefined;
      /** What /readyz says when it is not ready. */
      readonly notReady: string | undefined;
      readonly unwell: readonly { readonly id: string; readonly state: string; readonly reason?: string }[];
      readonly dependencies: readonly ReportedDependency[];
      readonly credentials: readonly ReportedCredential[];
      /** Of another file than the one that is checked. */
      readonly otherFile: string | undefined;
      readonly policiesRefused: boolean;
    };

export type PrometheusFacts =
  | { readonly state: 'not-asked' }
  | { readonly state: 'away'; readonly url: string; readonly reason: string }
  | { readonly state: 'answers'; readonly url: string; readonly rules: number; readonly scraped: number };

export type BackupFacts =
  | { readonly state: 'not-asked' }
  | { readonly state: 'missing'; readonly folder: string; readonly reason: string }
  | { readonly state: 'there'; readonly folder: string; readonly copies: readonly Copy[] };

/** A file that has to be in a backup, and what the copy of it is. */
export type Copy = {
  readonly of: string;
  readonly state: 'same' | 'differs' | 'missing' | 'aged';
  /** For what changes all the time: how old the copy is. */
  readonly ageMs?: number;
};
