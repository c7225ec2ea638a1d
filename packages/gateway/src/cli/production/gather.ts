/** Looks at everything that the checklist is judged by. Changes nothing, starts nothing, and waits for nobody long. */

import { authorizerOf } from '../../composition/policy.ts';
import { composeSecrets } from '../../composition/secrets.ts';
import type { Config, ListenAddress } from '../../config/config.ts';
import type { LoadedConfig } from '../../config/load.ts';
import { administratorOf, broadScopes } from '../../config/privileged-account.ts';
import { usedReferences } from '../../config/used-references.ts';
import { nameOf } from '../../credential/secret-source.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { urlHost } from '../../config/units.ts';
import { CommandError } from '../command.ts';
import { withKeys } from '../key-store.ts';
import { lookAtPrometheus, lookAtRunning } from './ask.ts';
import type { PolicyFacts, ProductionFacts, ReferenceFacts, StoredKeyFacts } from './facts.ts';
import { auditFacts, backupFacts, modeOf, placeOf, policyFile } from './files.ts';

export type GatherOptions = {
  /** The operations address of a running gateway; default: that of the configuration. */
  readonly url?: string;
  readonly prometheus?: string;
  readonly backup?: string;
  /** Opens the database, as a gateway does. */
  readonly storage: boolean;
};

export async function gatherFacts(loaded: LoadedConfig, options: GatherOptions): Promise<ProductionFacts> {
  const { config, file, problems } = loaded;
  const url = options.url ?? operationsUrl(config.operations);
  const policies = config.policies.map(({ name }) => policyFile(config, name));
  const [ownFiles, keyRing, references, storedKeys, audit, running, prometheus, backup] = await Promise.all([
    Promise.all([file, ...policies].map(placeOf)),
    placeOf(config.keys.file),
    referenceFacts(loaded),
    storedKeyFacts(loaded, options.storage),
    auditFacts(config.audit.file),
    lookAtRunning(url, file),
    lookAtPrometheus(options.prometheus),
    backupFacts(loaded, options.backup),
  ]);
  const gathered = { ownFiles, keyRing, references, storedKeys, audit, running, prometheus, backup };
  return { config, problems, policies: policyFacts(config), ...gathered, nowMs: Date.now() };
}

function operationsUrl(address: ListenAddress | undefined): string | undefined {
  if (address === undefined || address.port === 0) return undefined;
  return `http://${urlHost(address)}`;
}

function policyFacts(config: Config): PolicyFacts {
  const made = authorizerOf(config);
  return made.ok
    ? { count: made.value.policyCount, permitEverything: made.value.permitEverything }
    : { count: undefined, permitEverything: [] };
}

const IGNORE = (): void => undefined;
const SILENT: Logger = { debug: IGNORE, info: IGNORE, warn: IGNORE, error: IGNORE };

/** Follows each of them, and forgets what it found there. */
async function referenceFacts({ config, env }: LoadedConfig): Promise<readonly ReferenceFacts[]> {
  const resolver = composeSecrets({ config, env, logger: SILENT });
  const facts = await Promise.all(
    usedReferences(config).map(async ({ usedBy, source }): Promise<ReferenceFacts> => {
      const mode = source.kind === 'file' ? await modeOf(source.path) : undefined;
      const known = { name: nameOf(source), usedBy, kind: source.kind, ...(mode === undefined ? {} : { mode }) };
      try {
        return { ...known, ...rightsIn(usedBy, await resolver.resolve(source)) };
      } catch (error) {
        // The resolver's messages name the reference and never the value.
        return { ...known, fault: error instanceof Error ? error.message : String(error) };
      }
    }),
  );
  await resolver.close();
  return facts;
}

/** Judged here, so that the value goes nowhere. */
function rightsIn(usedBy: string, value: string): Pick<ReferenceFacts, 'administrator' | 'broadScopes'> {
  const administrator = administratorOf(usedBy.split('.').at(-1) ?? '', value);
  const scopes = broadScopes(value);
  return {
    ...(administrator === undefined ? {} : { administrator }),
    ...(scopes.length === 0 ? {} : { broadScopes: scopes }),
  };
}

async function storedKeyFacts(loaded: LoadedConfig, asked: boolean): Promise<StoredKeyFacts> {
  if (loaded.config.storage.kind === 'memory') return { state: 'none' };
  if (!asked) return { state: 'not-asked' };
  try {
    return await withKeys(loaded, async (keys) => {
      if (keys === undefined) return { state: 'none' };
      const nowMs = Date.now();
      const good = (await keys.store.list()).filter(
        ({ revokedAtMs, expiresAtMs = Number.POSITIVE_INFINITY }) => revokedAtMs === undefined && expiresAtMs > nowMs,
      );
      const endless = good.filter(({ expiresAtMs }) => expiresAtMs === undefined).map(({ name }) => name);
      return { state: 'read', good: good.length, endless };
    });
  } catch (error) {
    if (error instanceof CommandError) return { state: 'away', reason: error.message };
    throw error;
  }
}
