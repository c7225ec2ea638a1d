/** The deployment checklist of real configurations, with and without a running gateway. */

import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterEach, describe, expect, it } from 'vitest';

import { sallyport } from './harness/command-line.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';

type Row = {
  readonly id: string;
  readonly verdict: string;
  readonly findings: readonly { readonly evidence: string }[];
};
type Report = { readonly counts: Record<string, number>; readonly rows: readonly Row[] };

const folders: string[] = [];
let gateway: TestGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  gateway = undefined;
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function write(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-production-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  return folder;
}

async function check(file: string, ...more: readonly string[]): Promise<{ code: number; report: Report }> {
  const { code, out } = await sallyport(['check', '--production', '--json', '--config', file, ...more]);
  return { code, report: JSON.parse(out) as Report };
}

const row = ({ rows }: Report, id: string): string => {
  const found = rows.find((one) => one.id === id);
  return `${found?.verdict} ${found?.findings.map(({ evidence }) => evidence).join(' ')}`;
};

const PERMIT_ALL = 'permit (principal, action, resource);\n';
const SECRET = 'sk-live-4f9c2e7a';

describe('sallyport check --production', () => {
  it('finds on disk and in the policies what is not fit for production, and ends with 1', async () => {
    const folder = write({
      'sallyport.yaml': [
        'operations: 127.0.0.1:1',
        'policies: [./all.cedar]',
        'servers:',
        '  crm: { url: "https://crm.example.com/mcp", headers: { X-Key: "file:./crm-key", X-Other: "file:./nowhere" } }',
      ].join('\n'),
      'all.cedar': PERMIT_ALL,
      'crm-key': SECRET,
    });
    chmodSync(path.join(folder, 'crm-key'), 0o644);
    const { code, report } = await check(path.join(folder, 'sallyport.yaml'));
    expect(code).toBe(1);
    expect(row(report, 'authorization')).toMatch(/^fail .*The policy all lets everybody/u);
    expect(row(report, 'credential-rotation')).toMatch(/nowhere does not exist/u);
    expect(row(report, 'credential-rotation')).toMatch(/crm-key is open to other users \(mode 0644\)/u);
    expect(row(report, 'monitoring')).toMatch(/^unknown No gateway answers at http:\/\/127\.0\.0\.1:1/u);
    expect(row(report, 'backup-plan')).toMatch(/^unknown .*is not made yet/u);
    expect(JSON.stringify(report)).not.toContain(SECRET);
  });

  it('permits with a condition, a scope, an approval or for trial permit not everything', async () => {
    const folder = write({
      'sallyport.yaml': 'policies: [./some.cedar]\n',
      'some.cedar': [
        'permit (principal in Group::"a", action, resource);',
        'permit (principal, action, resource) when { context.surface == "x" };',
        '@approval("caller") permit (principal, action, resource);',
        '@mode("observe") permit (principal, action, resource);',
        'permit (principal, action == Action::"connect", resource);',
      ].join('\n'),
    });
    const { report } = await check(path.join(folder, 'sallyport.yaml'));
    expect(row(report, 'authorization')).toMatch(/^pass /u);
  });

  it('asks the running gateway, and looks at the backup and the stored keys where it is told to', async () => {
    gateway = await startTestGateway({ yaml: 'drainDelay: 5s\nlimits: [{ per: principal, rate: 60/minute }]' });
    const { directory } = gateway;
    const url = gateway.gateway.operationsUrl ?? '';
    const file = path.join(directory, 'sallyport.yaml');
    const backup = write({});
    const without = await check(file, '--url', url, '--backup', backup);
    expect(row(without.report, 'backup-plan')).toMatch(/^fail .*has no copy of .*keys\.json/u);
    for (const name of ['sallyport.yaml', 'keys.json', 'audit.jsonl']) {
      cpSync(path.join(directory, name), path.join(backup, name));
    }
    mkdirSync(path.join(backup, 'data'));
    cpSync(path.join(directory, 'data', 'sallyport.db'), path.join(backup, 'data', 'sallyport.db'));
    await sallyport(['key', 'create', 'endless', '--config', file]);
    const { code, report } = await check(file, '--url', url, '--backup', backup, '--storage');
    expect(row(report, 'health-checks')).toMatch(/^pass .*is ready/u);
    expect(row(report, 'monitoring')).toMatch(/^unknown .*\d+ series/u);
    expect(row(report, 'backup-plan')).toMatch(/^pass /u);
    expect(row(report, 'rate-limiting')).toMatch(/^pass /u);
    expect(row(report, 'credential-rotation')).toMatch(/^fail .*Stored API keys that never end: endless/u);
    expect(code).toBe(1);
  });

  it('prints rows that can be read at a glance, and nothing that moves a cursor', async () => {
    const folder = write({ 'sallyport.yaml': 'operations: 127.0.0.1:1\n' });
    const { out, code } = await sallyport(['check', '--production', '--config', path.join(folder, 'sallyport.yaml')]);
    expect(out).toMatch(/^fail {5}Rate limiting {10}one client can't overwhelm the server$/mu);
    expect(out).toMatch(/^ {9}- No limit holds for every caller and every call\. There is none\.\n {11}to mend: Add/mu);
    expect(out).toMatch(/^\d pass, \d fail, \d unknown$/mu);
    // oxlint-disable-next-line no-control-regex -- what must not be there
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/u);
    expect(Math.max(...out.split('\n').map((line) => line.replace(folder, '').length))).toBeLessThan(115);
    expect(code).toBe(1);
  });
});
