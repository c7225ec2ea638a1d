/**
 * A real PostgreSQL for one test file: a cluster of its own in a temporary folder, on a free loopback port. It ends with
 * the process that started it, however that ends: a watchdog holds the other end of a pipe.
 */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';

import { until } from './until.ts';
import { freePort } from './free-port.ts';

export type TestPostgres = {
  /** Of a fresh, empty database. */
  createDatabase(): Promise<string>;
  /** Stops every process of the cluster without a word (SIGSTOP): connections stay open and nothing answers. */
  freeze(): Promise<void>;
  thaw(): Promise<void>;
  /** Ends the server, and starts it again on the same port. */
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
};

/** Where Debian and others put what is not on the path. */
function binaries(): string | undefined {
  const versions = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql').toSorted().toReversed() : [];
  const folders = [...versions.map((version) => `/usr/lib/postgresql/${version}/bin`), '/usr/local/bin', '/usr/bin'];
  return folders.find((folder) => existsSync(path.join(folder, 'initdb')) && existsSync(path.join(folder, 'pg_ctl')));
}

/** PostgreSQL refuses to run as root: then it runs as the user that its package made. */
const IS_ROOT = userInfo().uid === 0;

const USER = 'postgres';

/** Everyone is trusted but this user, whom a test may create: it needs its password. */
export const PASSWORD_USER = 'app';

function reasonWhyNot(): string | undefined {
  if (!existsSync('/proc/self/stat')) return 'its processes are found in /proc, which this machine has not';
  if (binaries() === undefined) return 'PostgreSQL is not installed (apt-get install postgresql)';
  if (IS_ROOT && spawnSync('runuser', ['-u', USER, '--', 'true']).status !== 0) {
    return `root cannot become the user ${USER}`;
  }
  return undefined;
}

/** Said once for each test file that would have needed it. */
export const NO_POSTGRES = reasonWhyNot();
if (NO_POSTGRES !== undefined) console.warn(`SKIPPED: every test on PostgreSQL, because ${NO_POSTGRES}.`);

/** Obeys the words on its standard input, and stops and removes everything when that ends. */
const WATCHDOG = `
set -u
bin=$1 folder=$2 port=$3
signal() {
  postmaster=$(head -1 "$folder/data/postmaster.pid" 2>/dev/null) || return 0
  kill "-$1" "$postmaster" 2>/dev/null
  for child in $(cat "/proc/$postmaster/task/$postmaster/children" 2>/dev/null); do kill "-$1" "$child" 2>/dev/null; done
}
trap 'signal CONT; "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1; rm -rf "$folder"; exit 0' EXIT
"$bin/initdb" -D "$folder/data" -U ${USER} --auth=trust --no-sync --no-instructions >"$folder/initdb.log" 2>&1 ||
  { cat "$folder/initdb.log" >&2; exit 1; }
{ echo "host all ${PASSWORD_USER} 127.0.0.1/32 scram-sha-256"; cat "$folder/data/pg_hba.conf"; } >"$folder/hba"
mv "$folder/hba" "$folder/data/pg_hba.conf"
while read -r command; do
  case $command in
    start) "$bin/pg_ctl" -D "$folder/data" -w -t 60 -l "$folder/log" -o "-p $port -h 127.0.0.1 -k $folder -F" start \\
      >/dev/null 2>&1 || cat "$folder/log" >&2 ;;
    stop) "$bin/pg_ctl" -D "$folder/data" -w -m immediate stop >/dev/null 2>&1 ;;
    createdb*) "$bin/createdb" -h 127.0.0.1 -p "$port" -U ${USER} "\${command#createdb }" ;;
    freeze) signal STOP ;;
    thaw) signal CONT ;;
  esac
  echo "$command"
done
`;

export async function startPostgres(): Promise<TestPostgres> {
  const bin = binaries();
  if (bin === undefined) throw new Error(NO_POSTGRES);
  const folder = mkdtempSync(path.join(tmpdir(), 'sallyport-pg-'));
  const port = await freePort();
  if (IS_ROOT) spawnSync('chown', [USER, folder]);
  const script = ['-c', WATCHDOG, 'postgres-watchdog', bin, folder, String(port)];
  const [command, args] = IS_ROOT
    ? (['runuser', ['-u', USER, '--', 'sh', ...script]] as const)
    : (['sh', script] as const);
  // A group of its own: a Ctrl-C for the tests must not end the watchdog before it has cleaned up.
  const watchdog = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'], cwd: folder, detached: true });
  const ended = once(watchdog, 'exit');
  // Written to after its end: whoever waits for its answer says so.
  watchdog.stdin.on('error', () => {});
  let answered = '';
  watchdog.stdout.on('data', (chunk: Buffer) => (answered += chunk.toString('utf8')));
  const tell = async (word: string): Promise<void> => {
    answered = '';
    watchdog.stdin.write(`${word}\n`);
    await until(
      `PostgreSQL to ${word}`,
      () => {
        if (watchdog.exitCode !== null) throw new Error('the watchdog of PostgreSQL ended');
        return answered.includes(`${word}\n`);
      },
      90_000,
    );
  };
  await tell('start');
  let databases = 0;
  return {
    async createDatabase() {
      databases += 1;
      await tell(`createdb sallyport_${databases}`);
      return `postgres://${USER}@127.0.0.1:${port}/sallyport_${databases}`;
    },
    freeze: () => tell('freeze'),
    thaw: () => tell('thaw'),
    stop: () => tell('stop'),
    start: () => tell('start'),
    async close() {
      watchdog.stdin.end();
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
