/** The command line as a person uses it: a process of its own, against a running gateway. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { startFixture } from '../conformance/fixture/server.ts';
import { startTestGateway, type TestGateway } from './harness/gateway.ts';

const MAIN = fileURLToPath(new URL('../packages/gateway/src/main.ts', import.meta.url));

let fixture: Awaited<ReturnType<typeof startFixture>>;
let gateway: TestGateway;

beforeAll(async () => {
  fixture = await startFixture(0);
  gateway = await startTestGateway({
    yaml: [
      'servers:',
      `  fixture: { url: "${fixture.url}", allow: [{ anyone: true, tools: ["test_*"] }] }`,
      `  closed: { url: "${fixture.url}", readOnly: true, tools: { test_simple_text: { hidden: true } } }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await gateway?.close();
  await fixture?.close();
});

type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

function sallyport(...args: readonly string[]): Promise<Ended> {
  const env = { ...process.env, NO_COLOR: '1', SALLYPORT_KEY: gateway.keys.alice ?? '' };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = { out: '', err: '' };
  child.stdout.on('data', (text: Buffer) => (ended.out += text.toString('utf8')));
  child.stderr.on('data', (text: Buffer) => (ended.err += text.toString('utf8')));
  return new Promise((resolve) => {
    child.once('close', (code) => resolve({ code, ...ended }));
  });
}

const call = (address: string, ...args: readonly string[]): Promise<Ended> =>
  sallyport('call', address, ...args, '--url', gateway.url);

describe('sallyport call', () => {
  test('prints what the tool answered', async () => {
    const { code, out } = await call('fixture/test_simple_text');
    expect({ code, out }).toEqual({ code: 0, out: 'This is a simple text response for testing.\n' });
  });

  test('mirrors an argument into a header where the tool wants it', async () => {
    const { code, out } = await call('fixture/test_x_mcp_header', '--arg', 'region=eu-west');
    expect({ code, out }).toEqual({ code: 0, out: 'region=eu-west\n' });
  });

  test('shows progress on standard error while it waits', async () => {
    const { code, err } = await call('fixture/test_tool_with_progress');
    expect(code).toBe(0);
    expect(err).toContain('progress 50 of 100');
  });

  test('tells a tool that failed from a gateway that refused by the exit code', async () => {
    expect((await call('fixture/test_error_handling')).code).toBe(5);
    const refused = await call('fixture/test_simple_texd');
    expect(refused.code).toBe(4);
    expect(refused.err).toContain('Did you mean "test_simple_text"?');
  });

  test('says what to do when nothing answers', async () => {
    const { code, err } = await sallyport('call', 'files/x', '--url', 'http://127.0.0.1:1');
    expect(code).toBe(3);
    expect(err).toMatch(/Nothing answers.*\n.*npm start/u);
  });
});

describe('sallyport policy explain', () => {
  const explain = (...args: readonly string[]): Promise<Ended> =>
    sallyport('policy', 'explain', '--url', gateway.gateway.operationsUrl ?? '', '--as', 'alice', ...args);

  test('takes tools and their schemas from the running gateway', async () => {
    const allowed = await explain('--tool', 'fixture/test_x_mcp_header', '--args', '{"region": "eu-west"}');
    expect(allowed.out).toMatch(/^allow  alice .*\n\nfixture\.allow\[0\]  allow list  satisfied\n/u);
    expect(allowed.code).toBe(0);
    const misshapen = await explain('--tool', 'fixture/test_x_mcp_header', '--args', '{"region": 7}');
    expect(misshapen.out).toMatch(/^invalid [^]*refused before policy is asked[^]*region/u);
    expect(misshapen.code).toBe(4);
  });

  test('knows the nearest tool', async () => {
    const { code, err } = await explain('--tool', 'fixture/test_simple_texd');
    expect(err).toContain('Did you mean fixture/test_simple_text?');
    expect(code).toBe(2);
  });
});

describe('sallyport status and tools', () => {
  test('show the servers, and who may use what because of which policy', async () => {
    const url = gateway.gateway.operationsUrl ?? '';
    expect((await sallyport('status', '--url', url)).out).toMatch(/fixture +healthy/u);
    const { out } = await sallyport('tools', '--as', 'alice', '--url', url);
    expect(out).toMatch(/fixture\/test_simple_text .* yes +fixture\.allow\[0\]/u);
    expect(out).toMatch(/fixture\/json_schema_2020_12_tool .* no +no policy allows it/u);
    expect(out).toMatch(/closed\/test_simple_text .* no +it is hidden/u);
    expect(out).toMatch(/closed\/test_error_handling .* no +a ceiling: its server is readOnly/u);
  });
});
