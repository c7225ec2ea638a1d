/** Large results pass through: what they cost in memory, what goes on meanwhile, and what is refused. */

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { readRecords } from '../harness/config-file.ts';
import { startChildServer, type ChildServer } from '../harness/child.ts';
import { openExchange, type OpenExchange } from '../harness/exchange.ts';
import { startGatewayProcess, type GatewayProcess } from '../harness/gateway-process.ts';
import { bearer, modern, send, type HttpAnswer } from '../harness/http.ts';
import { HAS_PROC, residentBytes } from '../harness/processes.ts';
import { until } from '../harness/until.ts';

const CONCURRENT = 20;
const RESULT_BYTES = 10_000_000;
const MEGABYTE = 1_000_000;
const LIMIT_BYTES = 1024 * 1024;

let upstream: ChildServer;
let gateway: GatewayProcess;

beforeAll(async () => {
  upstream = await startChildServer('long/fixtures/large-results.ts');
});

// A gateway of its own for each: what an earlier test left allocated must not hide what this one takes.
beforeEach(async () => {
  const allow = 'allow: [{ anyone: true, tools: ["*"] }]';
  gateway = await startGatewayProcess({
    yaml: [
      'servers:',
      `  large: { url: "${upstream.url}", ${allow} }`,
      'requests: { maxBufferedResult: 1MiB }',
      'loopBreaker: off',
    ].join('\n'),
  });
});

afterEach(() => gateway?.close());

afterAll(() => upstream?.close());

function request(tool: string) {
  const { headers, body } = modern('tools/call', { name: tool, arguments: {} });
  return { headers: { ...headers, ...bearer(gateway.config.keys.alice ?? '') }, body };
}
const endpoint = (): string => `${gateway.url}/servers/large/mcp`;
const call = (tool: string): Promise<HttpAnswer> => send(endpoint(), request(tool));
const open = (tool: string): Promise<OpenExchange> => openExchange(endpoint(), request(tool));

const megabytes = (bytes: number): string => `${(bytes / MEGABYTE).toFixed(1)} MB`;

describe.runIf(HAS_PROC)(`${CONCURRENT} concurrent results of ${megabytes(RESULT_BYTES)}`, () => {
  it.each(['json', 'events'])(
    'as %s raise resident memory by less than 60 MB while other calls go on',
    async (tool) => {
      await inSteadyUse();
      const before = residentBytes(gateway.pid);
      let peak = before;
      const look = (): void => void (peak = Math.max(peak, residentBytes(gateway.pid)));
      const watch = setInterval(look, 10);
      try {
        // Nobody reads on until everyone has begun: every buffer on the way is as full as it can get.
        const large = await Promise.all(Array.from({ length: CONCURRENT }, () => open(tool)));
        const beginnings = await Promise.all(large.map((one) => one.readUntil('xxxx')));
        expect(beginnings.every((text) => text.includes('"resultType":"complete"'))).toBe(true);
        for (let count = 0; count < 50; count++) expect((await call('small')).status).toBe(200);
        look();
        const stalled = peak;
        const sizes = await meanwhile(readSlowly(large), () => call('small'));
        look();
        expect(sizes.results.every((size) => size > RESULT_BYTES && size < RESULT_BYTES + 1000)).toBe(true);
        expect(sizes.others.every(({ status }) => status === 200)).toBe(true);
        console.log(
          `${tool}: before ${megabytes(before)}, +${megabytes(stalled - before)} while nobody read, ` +
            `+${megabytes(peak - before)} at the peak; ${sizes.others.length} other calls meanwhile`,
        );
        expect(peak - before).toBeLessThan(60 * MEGABYTE);
      } finally {
        clearInterval(watch);
      }
    },
  );
});

describe('a result that cannot be told early', () => {
  it.each(['late-id', 'late-type'])(
    '%s: is held up to the limit, then refused, and the limit is named',
    async (tool) => {
      const { status, json } = await call(tool);
      expect(status).toBe(200);
      expect(json?.error?.message).toContain(`within ${LIMIT_BYTES} bytes`);
      expect(json?.error?.data).toMatchObject({ requestId: expect.any(String) });
      await until('the record of it', () =>
        readRecords(gateway.config.auditFile).some((record) => record.status_code === 'result-too-large'),
      );
    },
  );

  it('within the limit is held, and passes', async () => {
    const { status, text } = await call('late-id-short');
    expect(status).toBe(200);
    expect(text.length).toBeGreaterThan(300_000);
    expect(JSON.parse(text)).toMatchObject({ id: 1, result: { resultType: 'complete' } });
  });

  it('costs no more than the limit, also when many come at once', async () => {
    await inSteadyUse();
    const before = residentBytes(gateway.pid);
    const answers = await Promise.all(Array.from({ length: CONCURRENT }, () => call('late-id')));
    expect(answers.every(({ json }) => json?.error !== undefined)).toBe(true);
    const grown = residentBytes(gateway.pid) - before;
    console.log(`${CONCURRENT} refused results: +${megabytes(grown)}`);
    // Each may hold the limit, and for a moment a copy of it in one piece.
    expect(grown).toBeLessThan(2 * CONCURRENT * LIMIT_BYTES + 20 * MEGABYTE);
  });
});

/** What the heap grows to under small calls alone is not the large results' doing. */
async function inSteadyUse(): Promise<void> {
  for (let round = 0; round < 150; round++) await Promise.all(Array.from({ length: 10 }, () => call('small')));
}

/** Reads all of them, a little at a time. */
const readSlowly = (large: readonly OpenExchange[]): Promise<readonly number[]> =>
  Promise.all(large.map((one) => one.drain(2)));

/** Keeps calling until the results are there. */
async function meanwhile(results: Promise<readonly number[]>, other: () => Promise<HttpAnswer>) {
  const others: HttpAnswer[] = [];
  const callAgain = async (): Promise<undefined> => void others.push(await other());
  let over: readonly number[] | undefined;
  do over = await Promise.race([results, callAgain()]);
  while (over === undefined);
  return { results: over, others };
}
