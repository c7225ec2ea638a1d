/** A configuration file for a test's gateway: free ports, a key for each user, everything it writes in one fresh folder. */

import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createApiKey } from '../../packages/gateway/src/authn/api-key.ts';

export type TestConfigOptions = {
  /** YAML of the `servers:` mapping and of anything else, two-space indented from column 0. */
  readonly yaml: string;
  /** Name to groups: a key is made for each. */
  readonly users?: Readonly<Record<string, readonly string[]>>;
  /** Of users that are not of the default tenant. */
  readonly tenants?: Readonly<Record<string, string>>;
  readonly policies?: string;
  /** `audit.bodies`, as a YAML flow mapping. */
  readonly bodies?: string;
  /** `log.level`. */
  readonly logLevel?: string;
  /** More settings of `audit`, in one line: `sinks: []`. */
  readonly audit?: string;
  /** More files beside the configuration: name to content. */
  readonly files?: Readonly<Record<string, string>>;
};

export type TestConfig = {
  readonly file: string;
  readonly directory: string;
  readonly auditFile: string;
  /** Name to API key. */
  readonly keys: Readonly<Record<string, string>>;
};

export type AuditRecord = Record<string, unknown>;

export function writeTestConfig(options: TestConfigOptions): TestConfig {
  const directory = mkdtempSync(path.join(tmpdir(), 'sallyport-test-'));
  const users = options.users ?? { alice: ['engineering'] };
  const keys: Record<string, string> = {};
  const entries = Object.entries(users).map(([name, groups]) => {
    const { key, hash } = createApiKey(randomBytes);
    keys[name] = key.expose();
    const tenant = options.tenants?.[name];
    const of = tenant === undefined ? '' : `, tenant: ${tenant}`;
    return `    - { name: ${name}, hash: "${hash}", groups: [${groups.join(', ')}]${of} }`;
  });
  const lines = [
    'listen: 127.0.0.1:0',
    'operations: 127.0.0.1:0',
    `log: { calls: true, level: ${options.logLevel ?? 'info'} }`,
    'keys: { file: ./keys.json }',
    `audit: { file: ./audit.jsonl${options.bodies === undefined ? '' : `, bodies: ${options.bodies}`}${options.audit === undefined ? '' : `, ${options.audit}`} }`,
    ...(options.policies === undefined ? [] : ['policies: [./policy.cedar]']),
    // Last, so that a test can go on with issuers of its own.
    'identity:',
    '  apiKeys:',
    ...entries,
    options.yaml,
  ];
  const file = path.join(directory, 'sallyport.yaml');
  writeFileSync(file, `${lines.join('\n')}\n`);
  if (options.policies !== undefined) writeFileSync(path.join(directory, 'policy.cedar'), options.policies);
  for (const [name, content] of Object.entries(options.files ?? {})) writeFileSync(path.join(directory, name), content);
  return { file, directory, auditFile: path.join(directory, 'audit.jsonl'), keys };
}

/** The whole lines of an audit file; a line that was being written when the writer died is not one. */
export function readRecords(file: string): readonly AuditRecord[] {
  const lines = readFileSync(file, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as AuditRecord);
}
