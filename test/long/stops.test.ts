/** How the gateway ends: killed under load, and asked to stop with calls in flight. Nothing is left, nothing is lost. */

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { digestOf } from '../../packages/gateway/src/audit/argument-digest.ts';
import { verifyFile } from '../../packages/gateway/src/audit/verify.ts';
import { scriptPath, startChildServer, type ChildServer } from '../harness/child.ts';
import { readRecords, type AuditRecord } from '../harness/config-file.ts';
import { startGates, type Gates } from '../harness/gates.ts';
import { startAgain, startGatewayProcess, type Exit, type GatewayProcess } from '../harness/gateway-process.ts';
import { bearer, modern, send, type HttpAnswer } from '../harness/http.ts';
import { descendantsOf, HAS_PROC, isAlive } from '../harness/processes.ts';
import { until } from '../harness/until.ts';

const USERS = { alice: ['staff'], bob: ['staff'], carol: ['staff'] };
const KILLS = 5;

let gates: Gates;
let remote: ChildServer;
let gateway: GatewayProcess;

beforeEach(async () => {
  gates = await startGates();
  remote = await startChildServer('long/fixtures/witness.ts', 'http', gates.url);
  const policy = 'tools: { "read_*": { readOnly: true } }, allow: [{ group: staff, tools: ["*"] }]';
  const witness = [process.execPath, scriptPath('long/fixtures/witness.ts'), 'stdio', gates.url, './witness.jsonl'];
  // As `npx` and wrapper scripts do it: the server is a grandchild.
  const wrapped = ['sh', '-c', '"$@"; exit $?', 'sh', ...witness];
  gateway = await startGatewayProcess({
    users: USERS,
    yaml: [
      'servers:',
      `  direct: { command: ${JSON.stringify(witness)}, ${policy} }`,
      `  wrapped: { command: ${JSON.stringify(wrapped)}, sharing: shared, ${policy} }`,
      `  remote: { url: "${remote.url}", ${policy} }`,
    ].join('\n'),
  });
});

afterEach(async () => {
  await gateway?.close();
  await Promise.all([remote?.close(), gates?.close()]);
});

type Asked = { readonly server: string; readonly tool: string; readonly args: object; readonly as?: string };

function call({ server, tool, args, as = 'alice' }: Asked): Promise<HttpAnswer> {
  const { headers, body } = modern('tools/call', { name: tool, arguments: args });
  const credential = bearer(gateway.config.keys[as] ?? '');
  return send(`${gateway.url}/servers/${server}/mcp`, { headers: { ...headers, ...credential }, body });
}

/** Calls for as long as the gateway answers. */
function load(mark: string): { readonly answered: () => number; readonly over: Promise<unknown> } {
  let answered = 0;
  const caller = async (name: string, as: string, server: string): Promise<void> => {
    for (let count = 0; ; count++) {
      const tool = count % 3 === 2 ? 'read_note' : 'note';
      try {
        const { status } = await call({ server, tool, args: { id: `${mark}-${name}-${count}` }, as });
        if (status !== 200) return;
        answered += 1;
      } catch {
        return;
      }
    }
  };
  const callers = Object.keys(USERS).flatMap((as) =>
    ['direct', 'direct', 'wrapped', 'wrapped'].map((server, index) => caller(`${as}-${index}`, as, server)),
  );
  return { answered: () => answered, over: Promise.all(callers) };
}

type Witnessed = { readonly tool: string; readonly arguments: Record<string, string> };

function witnessed(): readonly Witnessed[] {
  const lines = readFileSync(path.join(gateway.config.directory, 'witness.jsonl'), 'utf8').split('\n');
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Witnessed);
}

const unmapped = (record: AuditRecord) => record.unmapped as { readonly event: string; readonly arguments?: string };

describe.runIf(HAS_PROC)('a gateway that is killed under load', () => {
  it(`leaves no process and no call without its intent, ${KILLS} times over on the same files`, async () => {
    for (let round = 0; round < KILLS; round++) {
      const { answered, over } = load(`round-${round}`);
      await until('some load', () => answered() > 60, 60_000);
      const children = descendantsOf(gateway.pid);
      expect(children.length).toBeGreaterThanOrEqual(Object.keys(USERS).length + 2);
      gateway.signal('SIGKILL');
      expect(await gateway.exited).toEqual({ code: null, signal: 'SIGKILL' });
      await over;
      await until('the end of every server process', () => !children.some(isAlive));

      const verified = await verifyFile(gateway.config.auditFile);
      expect(verified).toMatchObject({ ok: true });
      const intents = new Set(
        readRecords(gateway.config.auditFile).flatMap((record) => {
          const { event, arguments: digest } = unmapped(record);
          return event === 'intent' ? [digest] : [];
        }),
      );
      const writes = witnessed().filter(({ tool }) => tool === 'note');
      expect(writes.filter(({ arguments: args }) => !intents.has(digestOf(args)))).toEqual([]);
      console.log(
        `kill ${round + 1}: ${writes.length} writes reached servers, ${intents.size} intents, ${children.length} processes ended`,
      );
      gateway = await startAgain(gateway.config);
    }
    expect((await call({ server: 'direct', tool: 'note', args: { id: 'after' } })).status).toBe(200);
  });
});

describe.runIf(HAS_PROC)('a gateway that is asked to stop', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)(
    'by %s finishes what it began, takes nothing new, and leaves nothing',
    async (signal) => {
      const inFlight = ['direct', 'wrapped', 'remote'].map((server) =>
        call({ server, tool: 'gate', args: { name: 'stop' } }),
      );
      await gates.reached('stop', inFlight.length);
      const children = descendantsOf(gateway.pid);
      gateway.signal(signal);
      const refused = await until('that nothing new is taken', async () => {
        try {
          const { status } = await call({ server: 'direct', tool: 'note', args: { id: 'too late' } });
          return status === 503 ? 'with a 503' : undefined;
        } catch {
          return 'at the door';
        }
      });
      expect(children.some(isAlive)).toBe(true);
      gates.open('stop');
      for (const { status, text } of await Promise.all(inFlight)) {
        expect(status).toBe(200);
        expect(text).toContain('done stop');
      }
      expect(await gateway.exited).toEqual({ code: 0, signal: null });
      await until('the end of every server process', () => !children.some(isAlive));
      expect(refused).toMatch(/503|door/u);

      expect(await verifyFile(gateway.config.auditFile)).toMatchObject({ ok: true });
      const records = readRecords(gateway.config.auditFile);
      expect(unmapped(records.at(-1) ?? {}).event).toBe('closed');
      // A call that came before the signal was noticed was still taken: only those in flight are counted.
      const finished = records.filter(
        (record) =>
          unmapped(record).event === 'outcome' &&
          record.status_id === 1 &&
          JSON.stringify(record.resources).includes('/gate"'),
      );
      expect(finished).toHaveLength(3);
      expect(existsSync(`${gateway.config.auditFile}.lock`)).toBe(false);
      expect(gateway.log.at(-1)).toMatchObject({ msg: 'stopped' });
    },
  );

  it('twice stops at once, and still leaves no process and a whole record', async () => {
    const inFlight = Promise.allSettled(
      ['direct', 'wrapped', 'remote'].map((server) => call({ server, tool: 'gate', args: { name: 'stop' } })),
    );
    await gates.reached('stop', 3);
    const children = descendantsOf(gateway.pid);
    let exit: Exit | undefined;
    void gateway.exited.then((how) => (exit = how));
    gateway.signal('SIGINT');
    const firstMs = performance.now();
    // A terminal, a shell and npm may each pass on one Ctrl-C: what comes within a second is the same one.
    await until('a second of its own', () => performance.now() - firstMs > 1100);
    expect(exit).toBeUndefined();
    gateway.signal('SIGINT');
    await until('the end', () => exit);
    expect(exit).toEqual({ code: 0, signal: null });
    await inFlight;
    await until('the end of every server process', () => !children.some(isAlive));
    expect(await verifyFile(gateway.config.auditFile)).toMatchObject({ ok: true });
  });
});
