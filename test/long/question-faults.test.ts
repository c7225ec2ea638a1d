/**
 * The server, the client or the gateway dies at every step of a question. After each: nothing hangs, whoever is left is told,
 * no process and no parked call stays, nothing was done twice, and the next call works. The gateway is held still (SIGSTOP)
 * where a step lies inside of it, so that nothing here depends on time.
 */

import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { scriptPath, startCommand, type ChildServer } from '../harness/child.ts';
import { freePort } from '../harness/free-port.ts';
import { startGates, type Gates } from '../harness/gates.ts';
import { startAgain, startGatewayProcess, type GatewayProcess } from '../harness/gateway-process.ts';
import { personAt, type Era, type Person } from '../harness/people.ts';
import { descendantsOf, HAS_PROC, isAlive } from '../harness/processes.ts';
import { until } from '../harness/until.ts';

const TRANSPORTS = ['stdio', 'http', 'sse'] as const;
const VICTIMS = ['server', 'client', 'gateway'] as const;
const STEPS = ['asked', 'shown', 'answered', 'running', 'finished'] as const;

type Transport = (typeof TRANSPORTS)[number];
type Victim = (typeof VICTIMS)[number];
type Step = (typeof STEPS)[number];
type Deed = 'begun' | 'asked' | 'effect' | 'finished' | 'cancelled';

const WORDS: Readonly<Record<Step, string>> = {
  asked: 'has asked, and nobody was shown it yet',
  shown: 'waits for the person',
  answered: 'was answered, and does not know it yet',
  running: 'heard the answer and is at work',
  finished: 'is done, and nobody was told yet',
};

/** How often the deed behind the question was done, whatever happened. */
const EFFECTS: Readonly<Record<Step, readonly number[]>> = {
  asked: [0],
  shown: [0],
  answered: [0, 1],
  running: [1],
  finished: [1],
};

const SCRIPT = scriptPath('long/fixtures/faulty-asker.ts');
const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-faults-'));
const journal = path.join(folder, 'journal');

let gates: Gates;
let gateway: GatewayProcess;
const ports: Partial<Record<Transport, number>> = {};
const remote: Partial<Record<Transport, ChildServer>> = {};

async function startRemote(transport: Transport): Promise<void> {
  const env = { TEST_PORT: String(ports[transport]) };
  remote[transport] = await startCommand(process.execPath, [SCRIPT, transport, gates.url, journal], env);
}

beforeAll(async () => {
  gates = await startGates();
  for (const transport of ['http', 'sse'] as const) {
    ports[transport] = await freePort();
    await startRemote(transport);
  }
  const allow = 'allow: [{ anyone: true, tools: ["*"] }], breaker: "off"';
  gateway = await startGatewayProcess({
    yaml: [
      'loopBreaker: off',
      'questions: { answer: 6s }',
      'resumption: { away: 300ms }',
      'servers:',
      `  stdio: { command: ${JSON.stringify([process.execPath, SCRIPT, 'stdio', gates.url, journal])}, ${allow} }`,
      `  http: { url: "${remote.http?.url}", ${allow} }`,
      `  sse: { url: "${remote.sse?.url}", ${allow} }`,
    ].join('\n'),
  });
});

afterEach(() => gateway.signal('SIGCONT'));

afterAll(async () => {
  await gateway?.close();
  await Promise.all(Object.values(remote).map((child) => child.close()));
  await gates?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What was done for a call, and by which process. */
function deeds(id: string): readonly { readonly deed: string; readonly pid: number }[] {
  if (!existsSync(journal)) return [];
  const lines = readFileSync(journal, 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [deed = '', of, pid] = line.split(' ');
    return of === id ? [{ deed, pid: Number(pid) }] : [];
  });
}

const count = (id: string, deed: Deed): number => deeds(id).filter((one) => one.deed === deed).length;
const noted = (id: string, ...any: readonly Deed[]): Promise<unknown> =>
  until(`the server to note ${any.join(' or ')}`, () => any.some((deed) => count(id, deed) > 0));

const person = (era: Era, transport: Transport): Promise<Person> =>
  personAt(era, { url: `${gateway.url}/servers/${transport}/mcp`, key: gateway.config.keys['alice'] ?? '' });

/** Takes the call as far as `step`. The gateway stands still where that lies within it. */
async function bringTo(step: Step, someone: Person, id: string): Promise<void> {
  someone.call('act', { id, waits: true });
  await gates.reached(`ask-${id}`);
  if (step === 'asked') gateway.signal('SIGSTOP');
  gates.open(`ask-${id}`);
  if (step === 'asked') return void (await noted(id, 'asked'));
  await someone.shown;
  if (step === 'shown') return;
  if (step === 'answered') gateway.signal('SIGSTOP');
  await someone.answer();
  if (step === 'answered') return;
  await gates.reached(`run-${id}`);
  if (step === 'running') return;
  gateway.signal('SIGSTOP');
  gates.open(`run-${id}`);
  await noted(id, 'finished');
}

async function strike(victim: Victim, someone: Person, id: string): Promise<void> {
  if (victim === 'server') process.kill(deeds(id)[0]?.pid ?? 0, 'SIGKILL');
  else if (victim === 'client') someone.leave();
  else {
    gateway.signal('SIGKILL');
    await gateway.exited;
  }
  gateway.signal('SIGCONT');
}

/** The server is gone: the client is told so, at once or when it answers. */
async function clientIsTold(step: Step, someone: Person): Promise<void> {
  if (step === 'asked' || step === 'shown') {
    await Promise.race([someone.shown.then(() => someone.answer()), someone.outcome]);
  }
  expect(await someone.outcome).toMatch(step === 'finished' ? /^(error: |done )/u : /^error: /u);
}

/** The client is gone: the server is told so, or goes on with what a legacy client began. */
async function serverIsTold(step: Step, era: Era, id: string): Promise<void> {
  if (step === 'asked' || step === 'shown' || (step === 'running' && era === 'modern'))
    return void (await noted(id, 'cancelled'));
  if (step === 'finished') return;
  await until(
    'the call to go on or to be cancelled',
    () => gates.waiting(`run-${id}`) > 0 || count(id, 'cancelled') > 0,
  );
  gates.open(`run-${id}`);
  await noted(id, 'finished', 'cancelled');
  if (step === 'running') expect(count(id, 'finished')).toBe(1);
}

/** The gateway is gone: so are its processes, and the next one says to call again. */
async function gatewayIsBack(step: Step, someone: Person, { era, transport }: Cell): Promise<void> {
  gateway = await startAgain(gateway.config);
  // A modern client has no connection open while it shows the question.
  if (step !== 'shown' || era !== 'modern') return expect(await someone.outcome).toBe('closed');
  const url = `${gateway.url}/servers/${transport}/mcp`;
  expect(await someone.answerAt(url)).toMatch(/^error: .*Call again/u);
}

type Cell = { readonly transport: Transport; readonly era: Era };

async function nextCallWorks({ transport, era }: Cell): Promise<void> {
  await until(
    'the next call to work',
    async () => {
      const id = randomUUID();
      const someone = await person(era, transport);
      someone.call('act', { id });
      await Promise.race([someone.shown.then(() => someone.answer()), someone.outcome]);
      return (await someone.outcome) === `done ${id}` && count(id, 'effect') === 1;
    },
    60_000,
  );
}

async function nothingIsLeft(): Promise<void> {
  await until('nothing to be open in the gateway', async () => {
    const live = (await (await fetch(`${gateway.operationsUrl}/live`)).json()) as Record<string, number>;
    return live['parkedCalls'] === 0 && live['openQuestions'] === 0 && live['requests'] === 0;
  });
}

const CELLS = TRANSPORTS.flatMap((transport) =>
  (['legacy', 'modern'] as const).map((era): Cell => ({ transport, era })),
);

describe.runIf(HAS_PROC).each(CELLS)('a server over $transport that asks a client of the $era era', (cell) => {
  describe.each(VICTIMS)('when the %s dies', (victim) => {
    it.each(STEPS.map((step) => [WORDS[step], step] as const))('while it %s', async (_words, step) => {
      const id = randomUUID();
      const someone = await person(cell.era, cell.transport);
      await bringTo(step, someone, id);
      const processes = descendantsOf(gateway.pid);
      await strike(victim, someone, id);

      if (victim === 'server') await clientIsTold(step, someone);
      else if (victim === 'client') await serverIsTold(step, cell.era, id);
      else {
        await until('its processes to end', () => !processes.some(isAlive));
        await gatewayIsBack(step, someone, cell);
      }
      if (victim === 'server' && cell.transport !== 'stdio') await startRemote(cell.transport);
      await nextCallWorks(cell);
      await nothingIsLeft();
      expect(count(id, 'begun')).toBe(1);
      expect(EFFECTS[step]).toContain(count(id, 'effect'));
    });
  });
});
