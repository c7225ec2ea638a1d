import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

import { afterAll, describe, expect, it } from 'vitest';

import { loadConfig } from './load.ts';
import { formatProblem } from './problem.ts';
import type { ConfigProblem } from './problem.ts';

const fixture = path.join(import.meta.dirname, 'fixtures', 'sallyport.yaml');
const folder = mkdtempSync(path.join(os.tmpdir(), 'sallyport-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

let written = 0;
function write(text: string): string {
  written += 1;
  const file = path.join(folder, `case-${written}.yaml`);
  writeFileSync(file, text);
  return file;
}

function load(text: string, env: Record<string, string> = {}) {
  return loadConfig(write(text), { env });
}

function fatal(text: string): readonly ConfigProblem[] {
  const loaded = load(text);
  expect(loaded.ok, 'expected the file to be refused').toBe(false);
  return loaded.ok ? [] : loaded.error;
}

function accepted(text: string, env: Record<string, string> = {}) {
  const loaded = load(text, env);
  if (!loaded.ok) throw new Error(loaded.error.map(formatProblem).join('\n'));
  return loaded.value;
}

/** What a server gets that says nothing about how patient the gateway is with it. */
const DEFAULTS = {
  pool: { max: 16, idleMs: 600_000, waitMs: 10_000, spares: { min: 0, max: 0 } },
  connectTimeoutMs: 60_000,
  timeouts: { totalMs: 60_000, maxMs: 300_000 },
  retries: 2,
  breaker: { window: 10, failures: 5, openMs: 2_000, maxOpenMs: 60_000 },
  maxInFlight: 1000,
  dependsOn: [],
};
const MARKED = `
servers:
  cards:
    url: http://127.0.0.1:3001/mcp
    environment: production
    classification: restricted
    tags: [pci]
    tools: { "*": { classification: public } }
    prompts: { "*": { readOnly: true } }
    resources: { "file:///*": { risk: low } }
    allow: [{ anyone: true, tools: ["*"], surfaces: ["ide-*"] }]
`;

describe('the file of the guide', () => {
  const loaded = loadConfig(fixture, { env: {} });
  if (!loaded.ok) throw new Error(loaded.error.map(formatProblem).join('\n'));
  const { config, problems } = loaded.value;
  const directory = path.dirname(fixture);

  it('loads, and leaves out only the key whose hash was never filled in', () => {
    expect(problems.map((problem) => [problem.line, problem.path, problem.mend])).toEqual([
      [6, 'identity.apiKeys[0].hash', 'Type: npm run sallyport -- key create alice --print-config'],
    ]);
    expect(config.identity.apiKeys).toEqual([]);
    expect(config.disabledServers).toEqual([]);
  });

  it('says where everything is, in absolute paths', () => {
    expect(config).toMatchObject({
      listen: { host: '127.0.0.1', port: 8080 },
      publicUrl: 'http://127.0.0.1:8080',
      operations: { host: '127.0.0.1', port: 9090 },
      keys: { file: path.join(directory, 'data/keys.json') },
      audit: { file: path.join(directory, 'data/audit.jsonl') },
      directory,
    });
  });

  it('keeps issuers, with the defaults of what they leave out', () => {
    expect(config.identity.issuers).toEqual([
      {
        issuer: 'https://idp.example.com',
        groupsClaim: 'groups',
        tenant: 'default',
        audiences: [],
        clockSkewSeconds: 30,
        requireAccessTokenType: false,
      },
    ]);
  });

  it('knows both servers, their references, traits and shorthand policies', () => {
    expect(config.servers).toEqual([
      {
        id: 'files',
        transport: {
          kind: 'stdio',
          command: 'npx',
          args: ['-y', '@modelcontextprotocol/server-filesystem@2026.8.31', './examples/files'],
          cwd: directory,
          process: { group: {}, limits: {} },
          env: {
            LOG_LEVEL: { kind: 'literal', value: 'info' },
            TOKEN: { kind: 'env', name: 'FILES_TOKEN', prefix: '' },
          },
        },
        owner: 'platform',
        tags: [],
        sharing: 'principal',
        ...DEFAULTS,
        scopes: [],
        readOnly: false,
        traits: [
          { of: 'tools', pattern: 'read_*', traits: { readOnly: true, risk: 'low' } },
          { of: 'tools', pattern: 'write_file', traits: { risk: 'high' } },
        ],
        allow: [
          {
            who: { kind: 'group', name: 'engineering' },
            tools: ['read_*', 'list_directory'],
            prompts: [],
            resources: [],
            surfaces: [],
          },
        ],
      },
      {
        id: 'everything',
        transport: {
          kind: 'http',
          url: 'http://127.0.0.1:3001/mcp',
          headers: { 'X-Api-Key': { kind: 'file', path: '/run/secrets/everything', prefix: '' } },
        },
        tags: [],
        sharing: 'principal',
        ...DEFAULTS,
        scopes: [],
        readOnly: false,
        traits: [],
        allow: [],
      },
    ]);
  });

  it('takes the operator’s word on a server, on prompts and on resources', () => {
    const { config: marked } = accepted(MARKED);
    expect(marked.servers[0]).toMatchObject({
      environment: 'production',
      classification: 'restricted',
      tags: ['pci'],
      traits: [
        { of: 'tools', pattern: '*', traits: { classification: 'public' } },
        { of: 'prompts', pattern: '*', traits: { readOnly: true } },
        { of: 'resources', pattern: 'file:///*', traits: { risk: 'low' } },
      ],
      allow: [{ who: { kind: 'anyone' }, tools: ['*'], surfaces: ['ide-*'] }],
    });
  });

  it('reads the policies beside it, and the limits', () => {
    expect(config.policies.map((policy) => policy.name)).toEqual([path.join('policies', 'maintenance.cedar')]);
    expect(config.policies[0]?.text).toContain('no-writes');
    expect(config.limits).toEqual([
      { per: 'principal', count: 600, periodMs: 60_000, burst: 100, text: '600/minute per principal' },
      { per: 'tool', server: 'files', count: 60, periodMs: 60_000, burst: 60, text: '60/minute per tool on files' },
      {
        per: 'call',
        count: 120,
        periodMs: 60_000,
        burst: 120,
        text: '120/minute for one call with the same arguments',
      },
    ]);
  });

  it.each([
    ['limits:\n  - { per: tool, rate: 1/s, concurrent: 2 }', 'needs exactly one of rate and concurrent.'],
    ['limits:\n  - { per: tool }', 'needs exactly one of rate and concurrent.'],
    ['limits:\n  - { per: tool, concurrent: 2, burst: 3 }', 'has a burst, which belongs to rate.'],
  ])('refuses a limit that does not say how much: %s', (text, message) => {
    expect(fatal(text)).toMatchObject([{ path: 'limits[0]', message }]);
  });
});

describe('a problem', () => {
  it.each([
    ['lisen: 127.0.0.1:8080', 'lisen', [1, 1], 'Did you mean listen?'],
    ['listen: 127.0.0.1:1\nidentity:\n  apikeys: []', 'identity.apikeys', [3, 3], 'Did you mean apiKeys?'],
    ['limits:\n  - { per: tool, rat: 1/s, rate: 1/s }', 'limits[0].rat', [2, 18], 'Did you mean rate?'],
    ['limits:\n  - per: tol\n    rate: 1/s', 'limits[0].per', [2, 10], 'Did you mean tool?'],
    ['log: { level: loud }', 'log.level', [1, 15], undefined],
    ['drain: soon', 'drain', [1, 8], undefined],
    ['zebra: 1', 'zebra', [1, 1], expect.stringContaining('Known here: listen, publicUrl')],
    ['limits:\n  - { per: tool, server: fils, rate: 1/s }', 'limits[0].server', [2, 26], undefined],
    ['policies: [./absent]', 'policies[0]', [1, 12], undefined],
    ['publicUrl: https://me:pass@example.com', 'publicUrl', [1, 12], expect.stringContaining('env:NAME')],
    ['listen: [1]', 'listen', [1, 9], undefined],
    ['keys: {}', 'keys.file', [1, 7], undefined],
    ['audit: { file: 7 }', 'audit.file', [1, 16], undefined],
    [
      `identity:\n  apiKeys:\n    - { name: a, hash: "sha256:${'0'.repeat(64)}" }\n    - { name: a, hash: "sha256:${'1'.repeat(64)}" }`,
      'identity.apiKeys[1].name',
      [4, 15],
      undefined,
    ],
    [
      `identity:\n  apiKeys:\n    - { name: a, hash: "sha256:${'0'.repeat(64)}" }\n    - { name: b, hash: "sha256:${'0'.repeat(64)}" }`,
      'identity.apiKeys[1].hash',
      [4, 24],
      undefined,
    ],
  ])('in %j is at %s, line and column %j', (text, at, [line, column], mend) => {
    expect(fatal(text)).toEqual([
      expect.objectContaining({ path: at, line, column, ...(mend === undefined ? {} : { mend }) }),
    ]);
  });

  it('of a pattern under policies says that a folder is meant', () => {
    expect(fatal('policies: ["./policies/*.cedar"]')).toMatchObject([
      { path: 'policies[0]', message: expect.stringContaining('Name the folder: all its .cedar files count.') },
    ]);
  });

  it('comes with all others, in the order of the file', () => {
    const problems = fatal('lisen: x\nlog: { level: loud }\ndrain: soon');
    expect(problems.map((problem) => problem.line)).toEqual([1, 2, 3]);
  });

  it.each([
    ['a: [', 1],
    ['listen: 127.0.0.1:1\nlisten: 127.0.0.1:2', 2],
    ['drain: &a 1s\nlog: *a', 1],
  ])('of YAML itself has a line too: %j', (text, line) => {
    const [problem] = fatal(text);
    expect(problem?.message).toMatch(/\.$/);
    expect(problem?.line).toBeGreaterThanOrEqual(line);
  });

  it('says that the file is missing, and how to name another', () => {
    const loaded = loadConfig(path.join(folder, 'absent.yaml'), { env: {} });
    expect(loaded.ok ? '' : formatProblem(loaded.error[0]!)).toMatch(/no such file.*\n.*--config/is);
  });

  it('prints as place, path, what and how to mend', () => {
    const [problem] = fatal('log: { levle: info }');
    expect(formatProblem(problem!)).toMatch(
      /case-\d+\.yaml:1:8 {2}log\.levle\n {4}There is no setting "levle" here\.\n {4}Did you mean level\?/,
    );
  });
});

describe('a server that is wrong', () => {
  const good = '  good: { command: [node, server.js] }\n';

  it.each([
    ['has neither command nor url', '  bad: { owner: me }', 'servers.bad'],
    ['has both', '  bad: { command: [x], url: "http://127.0.0.1/" }', 'servers.bad'],
    ['has an unknown key', '  bad: { comand: [x] }', 'servers.bad.comand'],
    ['has an underscore in its id', '  my_server: { command: [x] }', 'servers.my_server'],
    [
      'has a literal header',
      '  bad: { url: "http://127.0.0.1/", headers: { X-Api-Key: abc } }',
      'servers.bad.headers.X-Api-Key',
    ],
    ['has a placeholder', '  bad: { command: [x], env: { KEY: changeme } }', 'servers.bad.env.KEY'],
    [
      'has a bearer token',
      '  bad: { url: "http://127.0.0.1/", headers: { Authorization: Bearer abcdef } }',
      'servers.bad.headers.Authorization',
    ],
    ['has a password argument', '  bad: { command: [x, "--password=hunter2"] }', 'servers.bad.command[1]'],
    ['has a password in its URL', '  bad: { url: "http://a:hunter2@127.0.0.1/" }', 'servers.bad.url'],
    ['has a bad reference', '  bad: { command: [x], env: { KEY: "env:not a name" } }', 'servers.bad.env.KEY'],
    ['is empty', '  bad:', 'servers.bad'],
    ['allows nobody in particular', '  bad: { command: [x], allow: [{ tools: ["*"] }] }', 'servers.bad.allow[0]'],
    [
      'has a wildcard that policy lacks',
      '  bad: { command: [x], allow: [{ anyone: true, tools: ["a?"] }] }',
      'servers.bad.allow[0].tools[0]',
    ],
    ['has headers for a command', '  bad: { command: [x], headers: { X-A: b } }', 'servers.bad.headers'],
    ['has a wrong trait', '  bad: { command: [x], tools: { a: { readonly: true } } }', 'servers.bad.tools.a.readonly'],
  ])('because it %s disables only itself', (_why, bad, at) => {
    const { config, problems } = accepted(`servers:\n${good}${bad}\n`);
    expect(config.servers.map((server) => server.id)).toEqual(['good']);
    expect(config.disabledServers).toHaveLength(1);
    expect(config.disabledServers[0]?.reason).toContain(`:3: ${at}`);
    expect(problems.map((problem) => problem.path)).toContain(at);
    expect(problems.every((problem) => problem.line === 3 && problem.server !== undefined)).toBe(true);
    expect(JSON.stringify({ problems, config })).not.toMatch(/hunter2|abcdef/);
  });

  it('keeps its tools when a fallback of one cannot be used, and says so', () => {
    const { config, problems } = accepted(
      'servers:\n  good: { command: [node, s.js], tools: { a: { onFailure: { server: gone } }, b: { onFailure: { server: good } } } }\n',
    );
    expect(config.servers.map(({ id }) => id)).toEqual(['good']);
    expect(problems).toMatchObject([
      {
        line: 2,
        path: 'servers.good.tools.a.onFailure.server',
        message: 'There is no server "gone" in this file.',
        harmless: true,
      },
      {
        path: 'servers.good.tools.b.onFailure.server',
        message: expect.stringContaining('the server itself'),
        harmless: true,
      },
    ]);
  });

  it('tells the nearest known key', () => {
    const { problems } = accepted('servers:\n  bad: { comand: [x] }');
    expect(problems.map((problem) => problem.mend)).toContain('Did you mean command?');
  });
});

describe('settings', () => {
  it('have defaults, so that an empty file is a gateway that denies everything', () => {
    const { config } = accepted('');
    expect(config).toMatchObject({
      servers: [],
      drainMs: 20_000,
      requests: { maxBodyBytes: 4 * 1024 * 1024, maxDepth: 64 },
    });
  });

  it('take a scheme before a reference', () => {
    const { config } = accepted(
      'servers:\n  a: { url: "http://127.0.0.1/", headers: { Authorization: "Bearer env:T" } }',
    );
    expect(config.servers[0]?.transport).toMatchObject({
      headers: { Authorization: { kind: 'env', name: 'T', prefix: 'Bearer ' } },
    });
  });

  it('name the replicas behind one address, and which of them this is', () => {
    const peers = 'peers: { a: "http://10.0.0.7:8080/", b: "https://b.example.org" }';
    const origins = { a: 'http://10.0.0.7:8080', b: 'https://b.example.org' };
    expect(accepted(`replicas: { self: a, ${peers} }`).config.replicas).toEqual({ self: 'a', peers: origins });
    const own = { SALLYPORT_REPLICA: 'b' };
    expect(accepted(`replicas: { ${peers} }`, own).config.replicas).toEqual({ self: 'b', peers: origins });
    expect(accepted('').config.replicas).toBeUndefined();
    const wrong = 'replicas: { self: a, peers: { b: "http://10.0.0.8:8080/mcp" } }';
    expect(fatal(wrong)).toContainEqual(expect.objectContaining({ path: 'replicas.peers.b' }));
  });

  it('take numbers and truth values in env, resolve relative paths, and split a command into its arguments', () => {
    const { config } = accepted(
      'servers:\n  a: { command: ./run.sh, args: [--fast], cwd: ./x, env: { PORT: 1, ON: true, F: "file:./f" } }',
    );
    expect(config.servers[0]?.transport).toEqual({
      kind: 'stdio',
      command: path.join(folder, 'run.sh'),
      args: ['--fast'],
      cwd: path.join(folder, 'x'),
      process: { group: {}, limits: {} },
      env: {
        PORT: { kind: 'literal', value: '1' },
        ON: { kind: 'literal', value: 'true' },
        F: { kind: 'file', path: path.join(folder, 'f'), prefix: '' },
      },
    });
  });

  it('come from the command line first, then the environment, then the file', () => {
    const file = write('listen: 127.0.0.1:1\noperations: 127.0.0.1:2\nlog: { format: json }');
    const env = { SALLYPORT_LISTEN: '127.0.0.1:3', SALLYPORT_OPERATIONS: 'off', SALLYPORT_LOG_LEVEL: 'debug' };
    const loaded = loadConfig(file, { env, overrides: { listen: '127.0.0.1:4' } });
    expect(loaded.ok && loaded.value.config).toMatchObject({
      listen: { port: 4 },
      publicUrl: 'http://127.0.0.1:4',
      operations: undefined,
      log: { level: 'debug', format: 'json' },
    });
  });

  it('read policy files in the order of their names, and single files', () => {
    mkdirSync(path.join(folder, 'rules'), { recursive: true });
    writeFileSync(path.join(folder, 'rules', 'b.cedar'), 'b');
    writeFileSync(path.join(folder, 'rules', 'a.cedar'), 'a');
    writeFileSync(path.join(folder, 'rules', 'notes.txt'), 'no');
    writeFileSync(path.join(folder, 'one.cedar'), 'one');
    const { config } = accepted('policies: [./rules, ./one.cedar]');
    expect(config.policies.map((policy) => policy.text)).toEqual(['a', 'b', 'one']);
  });
});
