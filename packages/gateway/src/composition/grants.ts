/** Tokens of people: the vault over the storage and the key ring of a configuration. */

import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';

import type { CredentialsConfig } from '../config/config.ts';
import { createEnvelope, type Envelope } from '../credential/envelope.ts';
import type { GrantStore } from '../credential/grant-rows.ts';
import { createRingKeyWrapper } from '../credential/ring-key-wrapper.ts';
import { createSealedGrantVault, type SealedGrantVault } from '../credential/sealed-grant-vault.ts';
import { loadKeyRing } from '../seal/key-ring.ts';
import type { Logger } from '../telemetry/logger.ts';
import { systemClock } from '../upstream/clock.ts';

export type VaultParts = {
  readonly config: CredentialsConfig;
  readonly store: GrantStore;
  readonly logger: Logger;
};

/** The key ring is looked at when it is first needed: a gateway that keeps no grants has none. */
export function composeVault({ config, store, logger }: VaultParts): {
  readonly vault: SealedGrantVault;
  readonly envelope: Envelope;
} {
  const file = config.keyRingFile;
  const wrapper = createRingKeyWrapper({
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
  const envelope = createEnvelope(wrapper);
  return { envelope, vault: createSealedGrantVault({ store, envelope, now: Date.now }) };
}
