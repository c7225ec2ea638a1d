/** Two gateways as they stand behind a load balancer: one configuration, key ring and storage; ports and record of their own. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { writeTestConfig, type TestConfig, type TestConfigOptions } from './config-file.ts';
import { freePort } from './free-port.ts';

export type ReplicaName = 'a' | 'b';

export type Replica = {
  readonly name: ReplicaName;
  readonly config: TestConfig;
  readonly port: number;
  /** Of the operations listener. */
  readonly check: number;
};

export type Replicas = {
  readonly both: readonly [Replica, Replica];
  readonly keys: TestConfig['keys'];
  readonly directory: string;
  remove(): void;
};

export type ReplicasOptions = TestConfigOptions & {
  /** What clients type: the balancer's address. */
  readonly publicUrl?: string;
  /** More lines for each, once both ports are known. */
  readonly own?: (name: ReplicaName, ports: Readonly<Record<ReplicaName, number>>) => readonly string[];
};

/** The ports were free a moment ago: the balancer has to know them before the replicas have them, and after a restart. */
export async function writeReplicas({ publicUrl, own, ...options }: ReplicasOptions): Promise<Replicas> {
  const shared = writeTestConfig(options);
  const text = readFileSync(shared.file, 'utf8');
  const ports = { a: await freePort(), b: await freePort() };
  const replica = async (name: ReplicaName): Promise<Replica> => {
    const port = ports[name];
    const check = await freePort();
    const file = path.join(shared.directory, `${name}.yaml`);
    const auditFile = path.join(shared.directory, `audit-${name}.jsonl`);
    const lines = [
      text
        .replace('listen: 127.0.0.1:0', `listen: 127.0.0.1:${port}`)
        .replace('operations: 127.0.0.1:0', `operations: 127.0.0.1:${check}`)
        .replace('./audit.jsonl', `./audit-${name}.jsonl`),
      ...(publicUrl === undefined ? [] : [`publicUrl: "${publicUrl}"`]),
      ...(own?.(name, ports) ?? []),
    ];
    writeFileSync(file, `${lines.join('\n')}\n`);
    return { name, port, check, config: { ...shared, file, auditFile } };
  };
  return {
    both: [await replica('a'), await replica('b')],
    keys: shared.keys,
    directory: shared.directory,
    remove: () => rmSync(shared.directory, { recursive: true, force: true }),
  };
}
