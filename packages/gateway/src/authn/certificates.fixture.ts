/** Certificates for tests, made at test time with the `openssl` of the machine: authorities, and what they sign. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { X509Certificate } from 'node:crypto';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

export type Issued = {
  readonly name: string;
  /** The certificate alone, PEM. */
  readonly pem: string;
  /** With the intermediates between it and its root, leaf first, PEM. */
  readonly chain: string;
  readonly key: string;
  /** The same as DER, as a connection presents it. */
  readonly presented: readonly Uint8Array[];
  readonly by: Issued | undefined;
};

export type Wanted = {
  readonly by?: Issued;
  /** Subject alternative names as OpenSSL writes them: `URI:spiffe://…`. */
  readonly names?: readonly string[];
  readonly ca?: boolean;
  /** Below zero: expired. */
  readonly days?: number;
  readonly usage?: string;
  /** Of an authority: how many others may stand below it. */
  readonly pathLength?: number;
};

export type Pki = {
  readonly directory: string;
  authority(name: string, wanted?: Wanted): Issued;
  /** The certificate of a workload, good for clients and servers. */
  leaf(name: string, wanted: Wanted): Issued;
  close(): void;
};

export function createPki(): Pki {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-pki-'));
  const openssl = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let made = 0;

  const issue = (name: string, extensions: readonly string[], { by, days = 2 }: Wanted): Issued => {
    const file = (ending: string): string => `${made}.${ending}`;
    made += 1;
    writeFileSync(path.join(directory, file('ext')), `${extensions.join('\n')}\n`);
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file('sec1'));
    openssl('pkcs8', '-topk8', '-nocrypt', '-in', file('sec1'), '-out', file('key'));
    openssl('req', '-new', '-key', file('key'), '-subj', `/O=Test/CN=${name}`, '-out', file('csr'));
    const key = read(file('key'));
    if (by !== undefined) {
      writeFileSync(path.join(directory, file('ca')), by.pem);
      writeFileSync(path.join(directory, file('cakey')), by.key);
    }
    const signer =
      by === undefined ? ['-signkey', file('key')] : ['-CA', file('ca'), '-CAkey', file('cakey'), '-CAcreateserial'];
    const signed = ['-extfile', file('ext'), '-days', String(days), '-out', file('pem')];
    openssl('x509', '-req', '-in', file('csr'), ...signer, ...signed);
    const pem = read(file('pem'));
    const links = [pem];
    for (let at = by; at?.by !== undefined; at = at.by) links.push(at.pem);
    return { name, pem, key, chain: links.join(''), presented: links.map((link) => new X509Certificate(link).raw), by };
  };
  const read = (name: string): string => readFileSync(path.join(directory, name), 'utf8');

  return {
    directory,
    authority: (name, wanted = {}) =>
      issue(
        name,
        [
          `basicConstraints=critical,CA:TRUE${wanted.pathLength === undefined ? '' : `,pathlen:${wanted.pathLength}`}`,
          'keyUsage=critical,keyCertSign,cRLSign',
          'subjectKeyIdentifier=hash',
        ],
        { days: 10, ...wanted },
      ),
    leaf: (name, wanted) =>
      issue(
        name,
        [
          `basicConstraints=critical,CA:${wanted.ca === true ? 'TRUE' : 'FALSE'}`,
          `keyUsage=critical,digitalSignature${wanted.ca === true ? ',keyCertSign' : ''}`,
          `extendedKeyUsage=${wanted.usage ?? 'clientAuth,serverAuth'}`,
          ...(wanted.names === undefined || wanted.names.length === 0
            ? []
            : [`subjectAltName=${wanted.names.join(',')}`]),
        ],
        wanted,
      ),
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}
