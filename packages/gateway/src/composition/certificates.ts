/**
 * The gateway's own certificate and the bundles of trust domains: read at start, where an unusable one is fatal, and watched
 * from then on, where an unusable one changes nothing and is logged.
 */

import { hash, X509Certificate } from 'node:crypto';
import { open } from 'node:fs/promises';

import type { Attempts } from '../authn/attempts.ts';
import type { Authenticator } from '../authn/authenticator.ts';
import { createLayeredAuthenticator } from '../authn/layered-authenticator.ts';
import { parseTrustBundle, type TrustBundle } from '../authn/trust-bundle.ts';
import { createWorkloads, type Workloads } from '../authn/workloads.ts';
import type { Config, TlsConfig, TrustDomainConfig } from '../config/config.ts';
import type { TlsMaterial, TlsOptions } from '../entrypoint/tls.ts';
import type { ChangedEntity, ChangeEvent, NoteEvent } from '../model/event.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Logger } from '../telemetry/logger.ts';
import { checkKeyPair, type KeyPair } from './tls-files.ts';
import { watchFiles, type WatchedFiles } from './watched-files.ts';

/** A file that is needed to start cannot be used. */
export class CertificateError extends Error {
  constructor(setting: string, problem: string) {
    super(`${setting}: ${problem}.`);
    this.name = 'CertificateError';
  }
}

export type Certificates = {
  /** For the listener; undefined when it speaks plain HTTP. */
  readonly tls: TlsOptions | undefined;
  /** The authenticator that knows both layers. */
  layered(bearer: Authenticator): Authenticator;
  /** Those in force now: what the gateway shows, and whom it trusts. */
  held(): HeldCertificates;
  /** From now on changes of the files take effect. */
  watch(replaceTls: (material: TlsMaterial) => void): void;
  close(): void;
};

export type HeldCertificates = {
  /** PEM, leaf first; undefined when the listener speaks plain HTTP. */
  readonly shown: string | undefined;
  readonly bundles: readonly { readonly trustDomain: string; readonly bundle: TrustBundle }[];
};

const MAX_FILE_BYTES = 1024 * 1024;

export type CertificateParts = {
  readonly config: Config;
  readonly attempts: Attempts;
  /** For the record: what was replaced, and what was refused. */
  readonly note: NoteEvent;
  readonly logger: Logger;
};

/** @throws CertificateError */
export async function loadCertificates({ config, attempts, note, logger }: CertificateParts): Promise<Certificates> {
  const { trustDomains, meshProxies } = config.identity.workloads;
  const loaded = await Promise.all(
    trustDomains.map(async (domain) => ({
      ...domain,
      bundle: orThrow(bundleSetting(domain), await readBundle(domain)),
    })),
  );
  const workloads =
    loaded.length === 0
      ? undefined
      : createWorkloads({ trustDomains: loaded, meshProxies, attempts, now: () => Date.now() });
  const own =
    config.tls === undefined ? undefined : { config: config.tls, pair: orThrow('tls', await readPair(config.tls)) };
  const bundles = new Map(loaded.map(({ name, bundle }) => [name, bundle]));
  const live = new LiveCertificates({ own, workloads, bundles, note, logger });
  let stop = (): void => undefined;
  return {
    tls: live.options(),
    layered(bearer) {
      const workloadRequired = config.tls?.clientCertificates === 'required';
      return createLayeredAuthenticator({ bearer, workloads, workloadRequired, attempts });
    },
    watch(replaceTls) {
      stop = watchFiles(live.watched(trustDomains, replaceTls));
    },
    held: () => live.held(),
    close: () => stop(),
  };
}

type Own = { readonly config: TlsConfig; readonly pair: KeyPair };

type LiveParts = Pick<CertificateParts, 'note' | 'logger'> & {
  readonly own: Own | undefined;
  readonly workloads: Workloads | undefined;
  /** By trust domain. */
  readonly bundles: Map<string, TrustBundle>;
};

class LiveCertificates {
  #own: Own | undefined;
  readonly #workloads: Workloads | undefined;
  readonly #bundles: Map<string, TrustBundle>;
  readonly #note: NoteEvent;
  readonly #logger: Logger;

  constructor({ own, workloads, bundles, note, logger }: LiveParts) {
    this.#own = own;
    this.#workloads = workloads;
    this.#note = note;
    this.#bundles = bundles;
    this.#logger = logger;
  }

  held(): HeldCertificates {
    const bundles = [...this.#bundles].map(([trustDomain, bundle]) => ({ trustDomain, bundle }));
    return { shown: this.#own?.pair.certificate, bundles };
  }

  options(): TlsOptions | undefined {
    const own = this.#own;
    if (own === undefined) return undefined;
    return { material: this.#material(own), asksForCertificates: own.config.clientCertificates !== 'off' };
  }

  watched(domains: readonly TrustDomainConfig[], replaceTls: (material: TlsMaterial) => void): readonly WatchedFiles[] {
    const bundles = domains.map((domain) => ({
      files: [domain.bundleFile],
      onChange: () => this.#reloadBundle(domain, replaceTls),
    }));
    const own = this.#own;
    if (own === undefined) return bundles;
    const { certificateFile, keyFile } = own.config;
    return [...bundles, { files: [certificateFile, keyFile], onChange: () => this.#reloadPair(replaceTls) }];
  }

  async #reloadPair(replaceTls: (material: TlsMaterial) => void): Promise<void> {
    const own = this.#own;
    if (own === undefined) return;
    const pair = await readPair(own.config);
    if (!pair.ok) return this.#keep('tls', pair.error);
    if (pair.value.certificate === own.pair.certificate && pair.value.key === own.pair.key) return;
    const renewed = { ...own, pair: pair.value };
    if (!this.#show(renewed, replaceTls)) return;
    this.#own = renewed;
    this.#note(
      materialReplaced({
        type: 'certificate',
        name: own.config.certificateFile,
        before: fingerprintOf(own.pair.certificate),
        after: fingerprintOf(pair.value.certificate),
      }),
    );
    this.#logger.info(
      { file: own.config.certificateFile },
      'a new certificate is shown to those who connect from now on',
    );
  }

  async #reloadBundle(domain: TrustDomainConfig, replaceTls: (material: TlsMaterial) => void): Promise<void> {
    const bundle = await readBundle(domain);
    if (!bundle.ok) return this.#keep(bundleSetting(domain), bundle.error);
    const before = this.#workloads?.authorities() ?? [];
    this.#workloads?.replaceBundle(domain.name, bundle.value);
    this.#bundles.set(domain.name, bundle.value);
    const after = this.#workloads?.authorities() ?? [];
    if (after.join() === before.join()) return;
    if (this.#own !== undefined) this.#show(this.#own, replaceTls);
    this.#note(
      materialReplaced({
        type: 'trust-bundle',
        name: `${domain.name} in ${domain.bundleFile}`,
        before: `sha256:${hash('sha256', before.join())}`,
        after: `sha256:${hash('sha256', after.join())}`,
      }),
    );
    this.#logger.info({ trustDomain: domain.name, file: domain.bundleFile }, 'a new trust bundle is in force');
  }

  #show(own: Own, replaceTls: (material: TlsMaterial) => void): boolean {
    try {
      replaceTls(this.#material(own));
      return true;
    } catch (cause) {
      this.#keep('tls', cause instanceof Error ? cause.message : String(cause));
      return false;
    }
  }

  #keep(setting: string, reason: string): void {
    this.#logger.warn({ setting, reason }, 'a changed file cannot be used; what was read before stays in force');
    const type = setting === 'tls' ? 'certificate' : 'trust-bundle';
    this.#note({ ...materialReplaced({ type, name: setting }), refused: [reason] });
  }

  #material({ pair }: Own): TlsMaterial {
    return { ...pair, authorities: this.#workloads?.authorities() ?? [] };
  }
}

/** Everyone may know a certificate; of its key nothing is told. */
const fingerprintOf = (pem: string): string =>
  `sha256:${new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()}`;

const materialReplaced = (entity: ChangedEntity): ChangeEvent => ({
  kind: 'change',
  operation: entity.type === 'certificate' ? 'tls/replace' : 'trust-bundle/replace',
  activity: 'update',
  entity,
  by: 'watched file',
  facts: {},
});

const bundleSetting = ({ name }: TrustDomainConfig): string => `identity.workloads.trustDomains, ${name}`;

async function readBundle({ bundleFile }: TrustDomainConfig): Promise<Result<TrustBundle, string>> {
  const text = await readText(bundleFile);
  if (!text.ok) return text;
  const bundle = parseTrustBundle(text.value);
  return bundle.ok ? bundle : err(`${bundleFile} ${bundle.error}`);
}

async function readPair({ certificateFile, keyFile }: TlsConfig): Promise<Result<KeyPair, string>> {
  const [certificate, key] = [await readText(certificateFile), await readText(keyFile)];
  if (!certificate.ok) return certificate;
  if (!key.ok) return key;
  const pair = checkKeyPair({ certificate: certificate.value, key: key.value }, Date.now());
  return pair.ok ? pair : err(`the certificate in ${certificateFile} ${pair.error}`);
}

async function readText(file: string): Promise<Result<string, string>> {
  try {
    await using handle = await open(file, 'r');
    const { size } = await handle.stat();
    if (size > MAX_FILE_BYTES) return err(`${file} is larger than ${MAX_FILE_BYTES / 1024} KiB`);
    return ok(await handle.readFile('utf8'));
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown reason';
    return err(code === 'ENOENT' ? `${file} does not exist` : `${file} cannot be read (${code})`);
  }
}

function orThrow<T>(setting: string, result: Result<T, string>): T {
  if (!result.ok) throw new CertificateError(setting, result.error);
  return result.value;
}
