/** Where somebody else decides about a gateway's approvals: on the same storage, as another replica's page would. */

import { randomBytes } from 'node:crypto';
import path from 'node:path';

import type { ApprovalWord } from '../../packages/gateway/src/audit/audit-log.ts';
import type { Assertion, Verdict } from '../../packages/gateway/src/authz/approval.ts';
import type { WatchedApprovals } from '../../packages/gateway/src/authz/create-approvals.ts';
import { composeApprovals } from '../../packages/gateway/src/composition/approvals.ts';
import { composeSecrets } from '../../packages/gateway/src/composition/secrets.ts';
import { openStorage } from '../../packages/gateway/src/composition/storage.ts';
import { loadConfig, type LoadedConfig } from '../../packages/gateway/src/config/load.ts';
import { somebody } from '../../packages/gateway/src/model/principal.fixture.ts';
import type { Principal } from '../../packages/gateway/src/model/principal.ts';
import { loadKeyRing } from '../../packages/gateway/src/seal/key-ring.ts';
import type { Logger } from '../../packages/gateway/src/telemetry/logger.ts';

const ignore = (): void => undefined;
/** For parts whose log a test does not look at. */
export const SILENT: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };

/** Somebody after a log-in in the browser. */
export const person = (name: string, groups: readonly string[], issuer = 'api-key'): Principal =>
  somebody(name, { issuer, groups, credential: { kind: 'browser' } });

export type Desk = {
  readonly approvals: WatchedApprovals;
  readonly words: readonly ApprovalWord[];
  decide(id: string, verdict?: Verdict, how?: Assertion): Promise<void>;
  close(): Promise<void>;
};

/** `directory` is the gateway's, with its configuration and keys. */
export async function openDesk(directory: string): Promise<Desk> {
  const { config, env } = loaded(path.join(directory, 'sallyport.yaml'));
  const ring = await loadKeyRing({ file: path.join(directory, 'keys.json'), randomBytes });
  const storage = await openStorage(
    { config, secrets: composeSecrets({ config, env, logger: SILENT }), logger: SILENT },
    ring,
  );
  const words: ApprovalWord[] = [];
  const audit = { said: (word: ApprovalWord): void => void words.push(word) };
  const approvals = composeApprovals({ config, store: storage.approvals, audit });
  return {
    approvals,
    words,
    async decide(id, verdict = 'approved', how = 'browser') {
      const decided = await approvals.decide(id, { by: person('dan', ['dba']), how, verdict });
      if (!decided.ok) throw new Error(`the decision was not taken: ${decided.error}`);
    },
    close: () => storage.close(),
  };
}

export function loaded(file: string): LoadedConfig {
  const result = loadConfig(file, { env: process.env });
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
