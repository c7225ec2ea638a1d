// Runs a script of this repository with the Node it is pinned to, after installing what is missing. Dependency-free and
// plain JavaScript, because it is the first thing that runs on a machine that has only npm and some Node (20 or newer).
//
//   node scripts/bootstrap.mjs                      install what is missing, nothing else
//   node scripts/bootstrap.mjs <script> [args...]   the same, then run the script; flags of Node may stand before it

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import path from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const modules = path.join(root, 'node_modules');
const marker = path.join(modules, '.sallyport-lock');
const windows = process.platform === 'win32';
/** The oldest Node that runs TypeScript directly and that every dependency supports. */
const OLDEST_NODE = [22, 19];

const PARENT_CHECK_MS = 1000;

const say = (text) => process.stderr.write(`${text}\n`);

const lockDigest = () =>
  createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');

/** Why the dependencies have to be installed, or undefined when they are there. */
function reasonToInstall() {
  if (!existsSync(modules)) return 'this checkout has no node_modules yet';
  if (!existsSync(marker)) return 'node_modules is not known to be complete';
  if (readFileSync(marker, 'utf8').trim() !== lockDigest())
    return 'package-lock.json has changed since the last install';
  return undefined;
}

/** npm has to run on the machine's own Node: the one in node_modules/.bin is about to be replaced. */
function environmentWithoutOwnNode() {
  const key = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH';
  const entries = (process.env[key] ?? '').split(path.delimiter);
  const kept = entries.filter((entry) => !entry.endsWith(path.join('node_modules', '.bin')));
  return { ...process.env, [key]: kept.join(path.delimiter) };
}

async function install(reason) {
  const startedMs = Date.now();
  say(`sallyport: installing dependencies (npm ci, no install scripts), because ${reason}.`);
  say('           About a minute the first time; nothing outside this folder is changed.');
  const child = spawn('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    env: environmentWithoutOwnNode(),
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: windows,
  });
  const ticking = setInterval(() => say(`           still installing, ${seconds(startedMs)}`), 15_000);
  const end = await ended(child);
  clearInterval(ticking);
  if (end.error?.code === 'ENOENT') fail('npm was not found. Install Node.js 20 or newer with npm, then try again.');
  if (end.code !== 0) {
    fail(
      'npm ci did not succeed; its messages are above. Check that the package registry can be reached ' +
        '(npm ping) and that the disk has 1 GB free, then try again.',
    );
  }
  writeFileSync(marker, `${lockDigest()}\n`);
  say(`sallyport: installed in ${seconds(startedMs)}.`);
}

const seconds = (sinceMs) => `${Math.round((Date.now() - sinceMs) / 1000)} s`;

function fail(message) {
  say(`sallyport: ${message}`);
  process.exit(1);
}

/** The pinned Node from node_modules, else the running one when it is new enough. */
function pinnedNode() {
  const pinned = path.join(modules, '.bin', windows ? 'node.cmd' : 'node');
  if (existsSync(pinned)) return pinned;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return process.execPath;
  return fail(
    `Node ${process.versions.node} is too old, and no newer one is packaged for ${process.platform}-${process.arch}. ` +
      `Install Node ${OLDEST_NODE.join('.')} or newer (nodejs.org), then try again.`,
  );
}

function ended(child) {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ error, code: 1, signal: null }));
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/** Runs the script and ends as it ends: same exit code, or 128 + signal. */
async function run(args) {
  const child = spawn(pinnedNode(), args, { cwd: process.cwd(), stdio: 'inherit', shell: windows });
  // Ctrl-C in a terminal reaches the child by itself (same process group), and npm repeats it to us: passing it on as
  // well would count as the second Ctrl-C, which means "stop at once". Without a terminal we are the only messenger.
  const fromTerminal = process.stdin.isTTY === true;
  process.on('SIGINT', () => {
    if (!fromTerminal) child.kill('SIGINT');
  });
  for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));

  // Whoever started us may be killed without a word to us (npm ends its shell so): then nobody waits for the child either.
  const parent = process.ppid;
  const watching = setInterval(() => {
    if (process.ppid !== parent) child.kill('SIGTERM');
  }, PARENT_CHECK_MS);

  const end = await ended(child);
  clearInterval(watching);
  if (end.error !== undefined)
    fail(`${args.find((arg) => !arg.startsWith('-'))} could not be started: ${end.error.message}`);
  process.exitCode = end.signal === null ? (end.code ?? 1) : 128 + (constants.signals[end.signal] ?? 0);
}

const reason = reasonToInstall();
if (reason !== undefined) await install(reason);
const args = process.argv.slice(2);
if (args.length > 0) await run(args);
