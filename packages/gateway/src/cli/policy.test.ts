import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { runCommandLine } from './program.ts';
import { createTerminal } from './terminal.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-policy-'));
afterAll(() => rmSync(folder, { recursive: true }));

const put = (name: string, text: string): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};

async function run(...args: readonly string[]) {
  const written = { out: '', err: '' };
  const out = { write: (text: string) => (written.out += text) };
  const err = { write: (text: string) => (written.err += text) };
  const terminal = createTerminal({ out, err }, {});
  const code = await runCommandLine(args, { terminal, env: {}, readInput: () => Promise.resolve('{"amount": 20}') });
  return { code, ...written };
}

const POLICIES = `@id("small")
permit (principal in Group::"support", action == Action::"callTool", resource == Tool::"billing/refund")
when { context.arguments.amount <= 100 };

@id("large")
@approval("group:managers")
permit (principal in Group::"support", action == Action::"callTool", resource == Tool::"billing/refund")
when { context.arguments.amount > 100 };

@id("day-only")
forbid (principal, action == Action::"callTool", resource)
when { context.now.toTime() > duration("18h") };
`;

const HEAD = `policies: [refunds.cedar]
servers:
  billing: { tools: { refund: { risk: high, tags: [money] } } }
callers:
  sam: { groups: [support] }
  eve:
tools:
  billing/refund: { amount: integer, note: string? }
cases:
`;
const NOON = 'now: "2026-11-20T12:00:00Z"';
const line = (fields: string): string => `  - { as: sam, tool: billing/refund, ${NOON}, ${fields} }\n`;

beforeAll(() => put('refunds.cedar', POLICIES));

describe('policy test', () => {
  const test = (cases: string, ...args: readonly string[]) =>
    run('policy', 'test', put('a.test.yaml', HEAD + cases), ...args);

  it('says of each case what came out, aligned, and counts them', async () => {
    const { code, out } = await test(
      [
        line('name: small ones pass, args: { amount: 20 }, expect: allow, by: [small]'),
        line('name: large ones wait for a manager, args: { amount: 101 }, expect: { approval: group:managers }'),
        line('name: a text is no amount, args: { amount: "20" }, expect: invalid'),
        line('name: it is shown, expect: listed'),
        '  - { name: not to others, as: eve, tool: billing/refund, expect: hidden }\n',
        '  - { name: nor at night, as: sam, tool: billing/refund, args: { amount: 1 }, now: "2026-11-20T22:00:00Z", expect: deny, by: [day-only] }\n',
      ].join(''),
    );
    expect(out.split('\n').slice(1)).toEqual([
      '  ok    small ones pass                sam  billing/refund  allow, decided by small',
      '  ok    large ones wait for a manager  sam  billing/refund  approval by group:managers',
      '  ok    a text is no amount            sam  billing/refund  invalid',
      '  ok    it is shown                    sam  billing/refund  listed',
      '  ok    not to others                  eve  billing/refund  hidden',
      '  ok    nor at night                   sam  billing/refund  deny, decided by day-only',
      '',
      '6 passed, 0 failed',
      '',
    ]);
    expect(code).toBe(0);
  });

  it('shows of a case that failed what was expected, what came and which policies decided', async () => {
    const { code, out } = await test(line('name: all pass, args: { amount: 101 }, expect: allow'));
    expect(out).toContain('  FAIL  all pass  sam  billing/refund  approval by group:managers\n');
    expect(out).toContain('          expected    allow\n');
    expect(out).toContain('          got         approval by group:managers\n');
    expect(out).toContain('          decided by  large (refunds.cedar:5)\n');
    expect(out).toMatch(/ {10}case {8}\S+a\.test\.yaml:10\n/u);
    expect(out).toMatch(/0 passed, 1 failed\n$/u);
    expect(code).toBe(1);
  });

  it('fails when the right decision came from the wrong policy', async () => {
    const { code, out } = await test(line('name: it, args: { amount: 1 }, expect: allow, by: [large]'));
    expect(out).toMatch(/expected +allow, decided by large\n +got +allow, decided by small\n/u);
    expect(code).toBe(1);
  });

  it('prints JSON for a machine', async () => {
    const { out } = await test(line('name: it, args: { amount: 1 }, expect: allow'), '--json');
    const cases: unknown = [
      expect.objectContaining({
        name: 'it',
        passed: true,
        got: 'allow',
        decided: [{ id: 'small', place: 'refunds.cedar:1' }],
      }),
    ];
    expect(JSON.parse(out)).toEqual([expect.objectContaining({ cases })]);
  });

  it.each([
    [
      'an unknown setting',
      line('name: it, expekt: allow'),
      /a\.test\.yaml:10:\d+ {2}cases\[0\]\.expekt\n.*\n.*expect/u,
    ],
    ['an unknown expectation', line('name: it, expect: alow'), /cases\[0\]\.expect/u],
    [
      'an unknown tool',
      line('name: it, expect: allow').replace('refund', 'refnud'),
      /:10:5: There is no tool "billing\/refnud"\. Did you mean billing\/refund\?/u,
    ],
    [
      'an unknown caller',
      line('name: it, expect: allow').replace('sam', 'sma'),
      /:10:5: There is no caller "sma".*\nDid you mean sam\?/u,
    ],
  ])('names the line of %s', async (_, cases, message) => {
    const { code, err } = await test(cases);
    expect(err).toMatch(message);
    expect(code).toBe(1);
  });

  it('shows a policy that is wrong with its line and a caret', async () => {
    put('wrong.cedar', 'permit (principal, action, resource)\nwhen { context.surfce == "x" };\n');
    const { code, err } = await run(
      'policy',
      'test',
      put('w.test.yaml', `${HEAD}${line('name: it, expect: allow')}`.replace('refunds', 'wrong')),
    );
    expect(err).toMatch(
      /wrong\.cedar:2:16: .*"surfce"; did you mean "surface"\?\n {4}2 \| when \{ context\.surfce == "x" \};\n {6}\| {16}\^/u,
    );
    expect(code).toBe(1);
  });

  it('asks for policies where a file brings none', async () => {
    const { err } = await run(
      'policy',
      'test',
      put('n.test.yaml', 'cases: [{ name: x, as: a, tool: b/c, expect: deny }]\n'),
    );
    expect(err).toContain('names no policies');
  });

  it('tests every file of a folder', async () => {
    put('a.test.yaml', HEAD + line('name: it, args: { amount: 1 }, expect: allow'));
    rmSync(path.join(folder, 'w.test.yaml'), { force: true });
    rmSync(path.join(folder, 'n.test.yaml'), { force: true });
    put('b.test.yaml', HEAD + line('name: it, args: { amount: 1 }, expect: allow'));
    expect((await run('policy', 'test', folder)).out).toMatch(
      /a\.test\.yaml\n[^]*b\.test\.yaml\n[^]*2 passed, 0 failed/u,
    );
  });
});

describe('policy explain, without a gateway', () => {
  const CONFIG = `policies: [refunds.cedar]
servers:
  billing: { url: "http://127.0.0.1:9", allow: [{ group: engineering, tools: ["list_*"] }] }
`;
  const explain = (...args: readonly string[]) =>
    run(
      'policy',
      'explain',
      '-c',
      put('sallyport.yaml', CONFIG),
      '--url',
      'http://127.0.0.1:9',
      '--now',
      '2026-11-20T12:00:00Z',
      ...args,
    );

  it('shows the decision, the policies that made it with their text, and those that did not', async () => {
    const { code, out } = await explain(
      '--as',
      'sam',
      '-g',
      'support',
      '--tool',
      'billing/refund',
      '--args',
      '{"amount": 20}',
    );
    expect(out).toMatch(/^allow {2}sam \(in support\): tool billing\/refund, \{"amount":20\}\n/u);
    expect(out).toMatch(/\nsmall {2}refunds\.cedar:1 {2}satisfied\n {4}@id\("small"\)\n {4}permit /u);
    expect(out).toMatch(/ {2}permit {2}large +refunds\.cedar:5 +not satisfied\n/u);
    expect(code).toBe(0);
  });

  it('says who would have to approve', async () => {
    const { out } = await explain(
      '--as',
      'sam',
      '-g',
      'support',
      '--tool',
      'billing/refund',
      '--args',
      '{"amount": 200}',
    );
    expect(out).toMatch(/^approval by group:managers /u);
  });

  it('takes arguments from standard input, and does without any', async () => {
    const { out } = await explain('--as', 'sam', '-g', 'support', '--tool', 'billing/refund', '--args', '-');
    expect(out).toContain('{"amount":20}');
    const unknown = await explain('--as', 'sam', '-g', 'support', '--tool', 'billing/refund');
    expect(unknown.out).toMatch(/^listed .*arguments unknown\n/u);
    expect(unknown.out).toMatch(/large .*depends on the arguments/u);
  });

  it('says which group would change a refusal, and that a forbid wins', async () => {
    const { code, out } = await explain('--as', 'eve', '--tool', 'billing/list_refunds', '--args', '{}');
    expect(out).toContain('No policy allows it; the nearest: billing.allow[0] needs group engineering.');
    expect(code).toBe(4);
    const late = await explain(
      '--as',
      'sam',
      '-g',
      'support',
      '--tool',
      'billing/refund',
      '--args',
      '{"amount": 1}',
      '--now',
      '2026-11-20T22:00:00Z',
    );
    expect(late.out).toMatch(
      /^deny [^]*A forbid wins over every permit\.\n\nday-only {2}refunds\.cedar:10 {2}satisfied/u,
    );
  });

  it('knows a token by issuer and subject, and a workload', async () => {
    const { out } = await explain(
      '--as',
      'https://idp.example#42',
      '-g',
      'support',
      '--workload',
      'spiffe://example.org/agent',
      '--surface',
      'ide',
      '--tool',
      'billing/refund',
      '--args',
      '{"amount": 1}',
    );
    expect(out).toMatch(/^allow .*from spiffe:\/\/example\.org\/agent on ide: /u);
    expect(out).toContain('https://idp.example is no issuer of the configuration.');
  });

  it.each([
    ['no subject', [], 'exactly one of --tool'],
    ['arguments that are no object', ['--tool', 'billing/refund', '--args', '[1]'], 'not a JSON object'],
    ['an unknown server', ['--tool', 'biling/refund'], 'Did you mean billing?'],
  ])('refuses %s', async (_, args, message) => {
    const { code, err } = await explain('--as', 'sam', ...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
