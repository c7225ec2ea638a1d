/** `sallyport audit export` and `audit erase`: a person's records and bodies to take along, and the end of their bodies. */

import { chmod, mkdir, open, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline/promises';

import { readLine } from '../audit/chain.ts';
import { shownBody, type BodyStore, type StoredBody } from '../audit/body-store.ts';
import { aboutPerson, recordedBodies, type Identity, type WantedPerson } from '../audit/person-records.ts';
import { commitmentOf } from '../audit/commitment.ts';
import type { LoadedConfig } from '../config/load.ts';
import { parseDurationMs } from '../config/units.ts';
import { eraseForPerson } from '../storage/sql/sql-body-store.ts';
import { withBodies } from './body-store.ts';
import { requireConfig } from './check.ts';
import { CommandError } from './command.ts';
import type { CommandContext } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { userName } from './key-store.ts';
import { recordLines } from './record-lines.ts';

export type AuditExportOptions = WantedPerson & {
  readonly config: string;
  readonly since?: string;
  readonly until?: string;
  readonly output: string;
};

export async function auditExport(context: CommandContext, options: AuditExportOptions): Promise<ExitCode> {
  const loaded = requireConfig(context, options.config);
  const range = { sinceMs: instantOf(options.since) ?? 0, untilMs: instantOf(options.until) ?? Infinity };
  const [identity] = await identitiesOf(loaded, options);
  if (identity === undefined) throw nobody(options.person);
  await newFolder(options.output);
  const written = await writeRecords(loaded, { ...options, ...range });
  const bodies = await writeBodies(loaded, written.requests, options.output);
  const manifest = {
    person: identity,
    madeAt: new Date().toISOString(),
    records: written.records,
    roles: Object.fromEntries(written.roles),
    bodies,
    newest: written.newest,
  };
  await writeFile(path.join(options.output, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`, {
    mode: 0o600,
  });
  context.terminal.out(
    `${options.output}: ${written.records} records and ${bodies.proved + bodies.unproved} bodies of ${nameOf(identity)}.`,
  );
  return EXIT.done;
}

/** Who is meant; of two who go by one name the operator has to say which. @throws CommandError */
async function identitiesOf({ config }: LoadedConfig, wanted: WantedPerson): Promise<readonly Identity[]> {
  const found = new Map<string, Identity>();
  for await (const line of recordLines(config.audit.file)) {
    for (const identity of aboutPerson(line, wanted)?.identities ?? []) {
      if (identity.issuer !== '') found.set(JSON.stringify(identity), identity);
      if (found.size > MAX_IDENTITIES) break;
    }
  }
  if (found.size > 1) throw several(wanted.person, [...found.values()]);
  return [...found.values()];
}

const MAX_IDENTITIES = 20;

const nameOf = ({ tenant, issuer, subject }: Identity): string => `${issuer}#${subject} (tenant ${tenant})`;

const several = (person: string, all: readonly Identity[]): CommandError =>
  new CommandError(
    `"${person}" is more than one person: ${all.map(nameOf).join(', ')}.`,
    EXIT.usage,
    'Say which with --issuer, --tenant, or the subject instead of the name.',
  );

const nobody = (person: string): CommandError =>
  new CommandError(
    `Nothing is recorded of "${person}".`,
    EXIT.failed,
    'Write the subject, or the name that audit search shows.',
  );

/** Only its owner may look into it, and nothing that was there is mixed with it. */
async function newFolder(folder: string): Promise<void> {
  await mkdir(path.join(folder, 'bodies'), { recursive: true, mode: 0o700 });
  const there = (await readdir(folder)).filter((name) => name !== 'bodies');
  if (there.length > 0) throw new CommandError(`${folder} is not empty.`, EXIT.usage, 'Name a new folder.');
  await chmod(folder, 0o700);
}

type Writing = WantedPerson & { readonly output: string; readonly sinceMs: number; readonly untilMs: number };

type Written = {
  readonly records: number;
  readonly roles: ReadonlyMap<string, number>;
  /** Of the person's own calls. */
  readonly requests: ReadonlySet<string>;
  /** The newest record of the whole chain, theirs or not. */
  readonly newest: { readonly sequence: number; readonly fingerprint: string } | undefined;
};

async function writeRecords({ config }: LoadedConfig, writing: Writing): Promise<Written> {
  const roles = new Map<string, number>();
  const requests = new Set<string>();
  let records = 0;
  let last = '';
  const file = await open(path.join(writing.output, 'records.jsonl'), 'wx', 0o600);
  try {
    for await (const line of recordLines(config.audit.file)) {
      last = line;
      const about = aboutPerson(line, writing);
      if (about === undefined || about.timeMs < writing.sinceMs || about.timeMs >= writing.untilMs) continue;
      records += 1;
      for (const role of about.roles) roles.set(role, (roles.get(role) ?? 0) + 1);
      if (about.roles.includes('caller') && about.requestId !== '') requests.add(about.requestId);
      await file.write(`${line}\n`);
    }
  } finally {
    await file.close();
  }
  const newest = readLine(last);
  return { records, roles, requests, newest: newest && { sequence: newest.sequence, fingerprint: newest.fingerprint } };
}

type WrittenBodies = { readonly proved: number; readonly unproved: number };

async function writeBodies(
  loaded: LoadedConfig,
  requests: ReadonlySet<string>,
  output: string,
): Promise<WrittenBodies> {
  if (requests.size === 0 || loaded.config.storage.kind === 'memory') return { proved: 0, unproved: 0 };
  const commitments = await commitmentsOf(path.join(output, 'records.jsonl'), requests);
  let proved = 0;
  let unproved = 0;
  await withBodies(loaded, async ({ store }) => {
    for (const request of requests) {
      const body = await store.get(request, undefined);
      if (body === undefined) continue;
      const isProved = commitments.get(request) === commitmentOf(body);
      if (isProved) proved += 1;
      else unproved += 1;
      const text = JSON.stringify(
        { ...shownBody(body), salt: body.salt, content: body.content, proved: isProved },
        null,
        2,
      );
      await writeFile(path.join(output, 'bodies', `${request}.json`), `${text}\n`, { mode: 0o600 });
    }
  });
  return { proved, unproved };
}

async function commitmentsOf(file: string, requests: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
  const commitments = new Map<string, string>();
  for await (const line of recordLines(file)) {
    if (!line.includes('"event":"bodies"')) continue;
    const request = /"correlation_uid":"([^"\\]+)"/.exec(line)?.[1] ?? '';
    const said = requests.has(request) ? recordedBodies(line, request) : undefined;
    if (said?.commitment !== undefined) commitments.set(request, said.commitment);
  }
  return commitments;
}

export type AuditEraseOptions = WantedPerson & { readonly config: string; readonly yes: boolean };

/** The store is looked through, and not the record: it has the bodies of every replica's calls. */
export async function auditErase(context: CommandContext, options: AuditEraseOptions): Promise<ExitCode> {
  const { terminal } = context;
  const loaded = requireConfig(context, options.config);
  return withBodies(loaded, async ({ store, database }) => {
    const { theirs, unreadable } = await bodiesOf(store, options);
    if (unreadable > 0)
      terminal.err(
        terminal.yellow(
          `${unreadable} bodies are sealed under a key that is gone: nobody can read them, and nobody knows whose they are.`,
        ),
      );
    const [first] = theirs;
    if (first === undefined) {
      terminal.out(`No bodies are kept of "${options.person}".`);
      return EXIT.done;
    }
    for (const line of summary(theirs)) terminal.out(line);
    if (!options.yes && !(await confirmed())) {
      terminal.err('Nothing was erased.');
      return EXIT.failed;
    }
    const of = `${first.issuer}#${first.subject}`;
    const erased = await eraseForPerson(database, theirs, { actor: `cli:${userName()}`, tenant: first.tenant, of });
    terminal.out(`Erased: ${erased} bodies with their salts. The records stay, and the chain as it was.`);
    terminal.err(
      terminal.dim('A running gateway records the erasure within seconds. Copies in backups are yours to delete.'),
    );
    return EXIT.done;
  });
}

const PAGE = 200;

async function bodiesOf(store: BodyStore, wanted: WantedPerson) {
  const theirs: StoredBody[] = [];
  let unreadable = 0;
  for (
    let page = await store.list(undefined, PAGE);
    page.length > 0;
    page = await store.list(page.at(-1)?.requestId, PAGE)
  ) {
    for (const body of page) {
      if (body.salt === '') unreadable += 1;
      // Without its content: a person may have many.
      else if (isTheirs(body, wanted)) theirs.push({ ...body, content: '' });
    }
  }
  const identities = new Map(
    theirs.map(({ tenant, issuer, subject }) => [
      JSON.stringify([tenant, issuer, subject]),
      { tenant, issuer, subject },
    ]),
  );
  if (identities.size > 1) throw several(wanted.person, [...identities.values()]);
  return { theirs, unreadable };
}

const isTheirs = (body: StoredBody, { person, issuer, tenant }: WantedPerson): boolean =>
  (body.subject === person || body.name === person) &&
  (issuer === undefined || body.issuer === issuer) &&
  (tenant === undefined || body.tenant === tenant);

/** How many of which tool, from when to when. */
function summary(bodies: readonly StoredBody[]): readonly string[] {
  const [first] = bodies;
  if (first === undefined) return [];
  const tools = new Map<string, number>();
  for (const { address } of bodies) tools.set(address, (tools.get(address) ?? 0) + 1);
  const times = bodies.map(({ madeAtMs }) => madeAtMs);
  const [oldest, newest] = [times.reduce((a, b) => Math.min(a, b)), times.reduce((a, b) => Math.max(a, b))];
  return [
    `Bodies of ${nameOf(first)}, ${new Date(oldest).toISOString()} to ${new Date(newest).toISOString()}:`,
    ...[...tools].map(([address, count]) => `  ${count} of ${address}`),
  ];
}

/** On a terminal only: a script says --yes. @throws CommandError */
async function confirmed(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CommandError(
      'Nobody is there to confirm it.',
      EXIT.usage,
      'Erasing cannot be undone. Say --yes to do it.',
    );
  }
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await asking.question('Erase them for good? Type "yes": ')).trim().toLowerCase() === 'yes';
  } finally {
    asking.close();
  }
}

/** `2h`: so long ago. Else a date. @throws CommandError */
function instantOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const duration = parseDurationMs(text);
  if (duration.ok) return Date.now() - duration.value;
  const date = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(date)) return date;
  throw new CommandError(
    `"${text}" is no time.`,
    EXIT.usage,
    'Write how long ago (30m, 2h, 7d) or a date (2027-01-31).',
  );
}
