/** Tokens of people: the vault over the storage and the wrapping key of a configuration, who renews them, and who ends them. */

import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

import type { CredentialsConfig } from '../config/credentials-schema.ts';
import { createEnvelope, type Envelope } from '../credential/envelope.ts';
import { createGrantBroker, type GrantBroker } from '../credential/grant-broker.ts';
import { followGrantRemovals } from '../credential/grant-removals-follower.ts';
import type { RenewalParts } from '../credential/grant-renewal.ts';
import type { GrantStore } from '../credential/grant-rows.ts';
import type { GrantFilter, GrantKey } from '../credential/grant.ts';
import { revokeGrants } from '../credential/revoke-grants.ts';
import { rewrapGrants } from '../credential/rewrap-grants.ts';
import { createRingKeyWrapper } from '../credential/ring-key-wrapper.ts';
import type { KeyWrapper } from '../credential/key-wrapper.ts';
import { createTransitKey } from '../credential/stores/transit-key.ts';
import { createTransitKeyWrapper } from '../credential/transit-key-wrapper.ts';
import { createSealedGrantVault, type SealedGrantVault } from '../credential/sealed-grant-vault.ts';
import { whichGrants } from '../credential/which-grants.ts';
import type { NoteEvent } from '../model/event.ts';
import { err, ok } from '../model/result.ts';
import type { Revocation } from '../pipeline/revoke-credentials.ts';
import type { ServerId } from '../model/target.ts';
import { loadKeyRing } from '../seal/key-ring.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';
import type { Upstreams } from '../upstream/upstreams.ts';
import { periodically } from './periodic.ts';
import type { Secrets } from './secrets.ts';

export type VaultParts = {
  readonly config: CredentialsConfig;
  readonly store: GrantStore;
  /** The Vault of the configuration, where its transit engine wraps. */
  readonly secrets: Pick<Secrets, 'vault'>;
  readonly logger: Logger;
};

export function composeVault(parts: VaultParts): { readonly vault: SealedGrantVault; readonly envelope: Envelope } {
  const envelope = createEnvelope(wrapperOf(parts));
  return { envelope, vault: createSealedGrantVault({ store: parts.store, envelope, now: Date.now }) };
}

function wrapperOf({ config: { wrapping }, secrets, logger }: VaultParts): KeyWrapper {
  if (wrapping.kind === 'ring') return ringWrapper(wrapping.file, logger);
  const { mount, key } = wrapping;
  if (secrets.vault === undefined) throw new Error('credentials.transit needs secrets.vault, as the schema says.');
  return createTransitKeyWrapper({ transit: createTransitKey({ client: secrets.vault, mount, key }), mount, key });
}

/** The key ring is looked at when it is first needed: a gateway that keeps no grants has none. */
const ringWrapper = (file: string, logger: Logger): KeyWrapper =>
  createRingKeyWrapper({
    file,
    async load() {
      await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
      return loadKeyRing({ file, randomBytes });
    },
    clockMs: () => systemClock.nowMs(),
    onTrouble: (error) =>
      logger.warn(
        { file, reason: String(error) },
        'the key ring of grants cannot be read again: its last keys stay in use',
      ),
  });

export type GrantParts = VaultParts & Pick<RenewalParts, 'issuerOf'> & { readonly note: NoteEvent };

export interface Grants {
  readonly vault: SealedGrantVault;
  readonly broker: GrantBroker;
  /** Whose consents there are for a server, the newest first: none is opened for it. */
  newestOf(server: ServerId): Promise<readonly GrantKey[]>;
  /** Felt here at once, and by every other gateway on the database within 5 seconds. */
  readonly revoke: Revocation;
  /** Sessions with servers end with the grants that they were opened with, from now on. */
  watch(upstreams: Pick<Upstreams, 'endOf'>): void;
  close(): void;
}

/** With a look's own time, well within the 5 seconds that a revocation may take. */
const LOOK_MS = 1_500;
const UPKEEP_MS = 10_000;
const SHOWN = 10;
/** For one that reads what a server offers. */
const MAX_LOOKED_AT = 200;
/** What a stopped rotation left over. */
const REWRAP = { firstAfterMs: 60_000, everyMs: 10 * 60_000 };
const REWRAP_MAX_MS = 5 * 60_000;

export function composeGrants(parts: GrantParts): Grants {
  const { config, store, logger, note, issuerOf } = parts;
  const { vault, envelope } = composeVault(parts);
  const broker = createGrantBroker({
    vault,
    issuerOf,
    holder: randomUUID(),
    now: Date.now,
    clockMs: () => systemClock.nowMs(),
    pause: (ms, signal) => pause(ms, undefined, { signal, ref: false }),
    random: Math.random,
    note,
    logger,
    renewBeforeMs: config.renewBeforeMs,
    noteUses: (uses) => store.note(uses),
  });
  let endOf: Upstreams['endOf'] = () => undefined;
  const end = (filter: GrantFilter): void => {
    broker.forget(filter);
    endOf((owner) => isMeant(owner, filter));
  };
  const follower = followGrantRemovals({ removals: store.removals, onRemoved: end, now: Date.now, logger });
  const rewrap = async (): Promise<void> => {
    try {
      // A gateway that keeps none has no key ring, and is not given one by looking.
      if ((await store.list({}, { limit: 1 })).notes.length === 0) return;
      await rewrapGrants({ keys: store.keys, envelope, signal: AbortSignal.timeout(REWRAP_MAX_MS) });
    } catch (error) {
      logger.debug({ reason: String(error) }, 'grants could not be wrapped anew; tried again later');
    }
  };
  const stops = [
    periodically({ firstAfterMs: LOOK_MS, everyMs: LOOK_MS, task: () => follower.look() }),
    periodically({ firstAfterMs: UPKEEP_MS, everyMs: UPKEEP_MS, task: () => broker.upkeep() }),
    periodically({ ...REWRAP, task: rewrap }),
  ];
  return {
    vault,
    broker,
    async newestOf(server) {
      const { notes } = await store.list({ server }, { limit: MAX_LOOKED_AT });
      const good = notes.filter(({ refusedAtMs }) => refusedAtMs === undefined);
      return good.toSorted((a, b) => b.obtainedAtMs - a.obtainedAtMs).map(({ key }) => key);
    },
    async revoke({ user, server }, { tenant, name }) {
      const wanted = { ...(user === undefined ? {} : { user }), ...(server === undefined ? {} : { server }), tenant };
      const { filter, people } = await whichGrants(store, wanted);
      if (filter === undefined) {
        return err(
          `Several people are called "${user}": ${people.slice(0, SHOWN).join(', ')}. Write one of these for user.`,
        );
      }
      const by = `api:${name}`;
      const revoked = revokeGrants(filter, { vault, issuerOf, note, by });
      // Before the issuers have answered; and again for what was opened meanwhile.
      end(filter);
      return ok(await revoked.finally(() => end(filter)));
    },
    watch(upstreams) {
      endOf = (isOwner) => upstreams.endOf(isOwner);
    },
    close() {
      for (const stop of stops) stop();
      broker.close();
    },
  };
}

const isMeant = (owner: GrantKey, { tenant, principal, server }: GrantFilter): boolean =>
  (tenant === undefined || tenant === owner.tenant) &&
  (principal === undefined || principal === owner.principal) &&
  (server === undefined || server === owner.server);
