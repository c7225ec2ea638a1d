/** One call as a story: what became of it first, then who, what, why, and how it went, as far as its records tell. */

import { listOf, numberOf, objectOf, textOf, toldOf } from '../audit/told-record.ts';
import type { Json, JsonObject } from '../model/json.ts';
import { durationText } from './audit-run.ts';
import { timeText } from './audit-rows.ts';
import { printable } from './terminal.ts';
import type { Terminal } from './terminal.ts';
import { attemptLines, diagnosisLines, stepLines } from './trace-course.ts';

export type Story = {
  readonly id: string;
  /** In the order of the record. */
  readonly records: readonly JsonObject[];
  /** Whoever was to write how it ended has ended first. */
  readonly restarted: boolean;
};

const LABEL_CHARACTERS = 10;

export function printStory({ id, records, restarted }: Story, terminal: Terminal): void {
  const eventOf = (record: JsonObject): string => textOf(objectOf(record.unmapped).event);
  const intent = records.find((record) => eventOf(record) === 'intent');
  const outcome = records.findLast((record) => eventOf(record) === 'outcome');
  const words = records.filter((record) => eventOf(record) === 'approval');
  const others = records.filter((record) => !['intent', 'outcome', 'approval'].includes(eventOf(record)));
  const main = outcome ?? intent ?? records[0];
  if (main === undefined) return;
  terminal.out(headline({ main, outcome, intent, restarted }, terminal));
  const section = (label: string, lines: readonly string[]): void => printSection(label, lines, terminal);
  section('request', [id]);
  section('trace', present([textOf(objectOf(objectOf(main.unmapped).trace).uid)]));
  section('when', whenLines(main));
  section('who', whoLines(main));
  section('run', runLines(main));
  section('what', whatLines(main, intent));
  section('decision', decisionLines(main));
  section('approval', approvalLines(main, words));
  section('steps', stepLines(main));
  section('attempts', attemptLines(main));
  section('failure', outcome === undefined ? [] : diagnosisLines(outcome));
  section('result', resultLines(main));
  section('also', others.map(otherLine));
  section('record', [records.map(recordName).join(', ')]);
}

function printSection(label: string, lines: readonly string[], terminal: Terminal): void {
  for (const [index, line] of lines.entries()) {
    terminal.out(`  ${terminal.dim((index === 0 ? label : '').padEnd(LABEL_CHARACTERS))}${printable(line)}`);
  }
}

type Ending = {
  readonly main: JsonObject;
  readonly outcome: JsonObject | undefined;
  readonly intent: JsonObject | undefined;
  readonly restarted: boolean;
};

function headline({ main, outcome, intent, restarted }: Ending, terminal: Terminal): string {
  const told = toldOf(main);
  const about = printable(`${told.operation} ${told.target}`.trim() || told.event);
  if (outcome === undefined && intent !== undefined) {
    const how = restarted
      ? 'interrupted: it was about to be made when the gateway ended, and nobody knows how it ended'
      : 'not ended: it is running, or the gateway was killed';
    return `${terminal.bold(about)}  ${terminal.yellow(how)}`;
  }
  const took = told.durationMs === undefined ? '' : `  ${terminal.dim(`in ${durationText(told.durationMs)}`)}`;
  if (told.outcome === '') return terminal.bold(about);
  const ended = printable(told.outcome === told.result ? told.result : `${told.result}: ${told.outcome}`);
  const paint =
    told.result === 'ok' ? terminal.green : told.result === 'input_required' ? terminal.yellow : terminal.red;
  return `${terminal.bold(about)}  ${paint(ended)}${took}`;
}

function whenLines(record: JsonObject): readonly string[] {
  const { timeMs, durationMs = 0 } = toldOf(record);
  return [`${timeText(timeMs - durationMs)} UTC`];
}

function whoLines(record: JsonObject): readonly string[] {
  const { user, idp, app_name: application } = objectOf(record.actor);
  const { client_name: client, client_version: version } = objectOf(objectOf(record.unmapped).claimed);
  const unmapped = objectOf(record.unmapped);
  const { uid, name, type, groups } = objectOf(user);
  const names = listOf(groups).map((group) => textOf(objectOf(group).name));
  const tenant = textOf(objectOf(record.metadata).tenant_uid);
  const known =
    textOf(uid) === ''
      ? textOf(application)
      : words(
          textOf(name) || textOf(uid),
          `(${textOf(type)} ${textOf(uid)} of ${textOf(objectOf(idp).uid)})`,
          tenant === '' || tenant === 'default' ? '' : `of ${tenant}`,
          names.length === 0 ? '' : `in ${names.join(', ')}`,
        );
  const workload = objectOf(unmapped.workload);
  const actors = listOf(unmapped.actors).map((actor) => textOf(objectOf(actor).uid));
  const oauth = textOf(objectOf(record.ai_agent).uid);
  return present([
    known,
    textOf(unmapped.credential) === '' ? '' : `with ${article(textOf(unmapped.credential))}`,
    actors.length === 0 ? '' : `acting for them: ${actors.join(', before it ')}`,
    textOf(workload.uid) === '' ? '' : `from the workload ${textOf(workload.uid)} (${textOf(workload.credential)})`,
    words(
      textOf(client) === '' ? '' : `through ${words(textOf(client), textOf(version))}, as it calls itself`,
      oauth === '' ? '' : `${textOf(client) === '' ? 'through' : 'and'} the OAuth client ${oauth}`,
    ),
    words(
      textOf(objectOf(record.src_endpoint).ip) === '' ? '' : `from ${textOf(objectOf(record.src_endpoint).ip)}`,
      textOf(unmapped.revision) === '' ? '' : `speaking MCP ${textOf(unmapped.revision)}`,
      textOf(unmapped.session) === '' ? '' : `in session ${textOf(unmapped.session)}`,
    ),
  ]);
}

const CREDENTIALS: Readonly<Record<string, string>> = {
  'api-key': 'an API key',
  jwt: 'a token',
  mtls: 'a client certificate',
  mesh: 'a certificate that the mesh vouches for',
  browser: 'a log-in in the browser',
};
const article = (credential: string): string => CREDENTIALS[credential] ?? credential;

function runLines(record: JsonObject): readonly string[] {
  const { run, purpose } = toldOf(record);
  return present([run === '' ? '' : `${run}, as the client claims`, purpose === '' ? '' : `for: ${purpose}`]);
}

function whatLines(record: JsonObject, intent: JsonObject | undefined): readonly string[] {
  const [resource] = listOf(record.resources);
  const { type, uid, version, criticality, owner } = objectOf(resource);
  const { service } = objectOf(record.api);
  const digest = textOf(objectOf(record.unmapped).arguments) || textOf(objectOf(intent?.unmapped).arguments);
  const ownedBy = textOf(objectOf(owner).name);
  return present([
    textOf(uid) === '' ? '' : words(textOf(type), textOf(uid), `(${textOf(criticality)} risk)`),
    textOf(version) === '' ? '' : `its definition ${short(version)}`,
    digest === '' ? '' : `arguments ${short(digest)}`,
    present([
      `server ${textOf(objectOf(service).name)}`,
      textOf(objectOf(service).version) === '' ? '' : `configuration ${textOf(objectOf(service).version)}`,
      ownedBy === '' ? '' : `owned by ${ownedBy}`,
    ]).join(', '),
  ]);
}

function decisionLines(record: JsonObject): readonly string[] {
  const told = toldOf(record);
  const { policy_errors: errors, withheld, observed, reason } = objectOf(record.unmapped);
  const [first] = listOf(objectOf(record.actor).authorizations);
  const { effect, policies, approvals } = objectOf(observed);
  const texts = (list: readonly unknown[]): string => list.filter((one) => typeof one === 'string').join(', ');
  return present([
    told.decision === ''
      ? ''
      : `${told.decision}${told.decision === 'allowed' || told.policies.length > 0 ? ' by ' : ': '}${told.policies.join(', ') || told.because || 'default'}`,
    told.decision === '' ? '' : `policies ${short(objectOf(objectOf(first).policy).version)}`,
    ...listOf(errors).map((error) => `error: ${textOf(error)}`),
    listOf(withheld).length === 0 ? '' : `not counted for a workload alone: ${texts(listOf(withheld))}`,
    textOf(reason) === '' ? '' : `reason: ${textOf(reason)}`,
    textOf(effect) === ''
      ? ''
      : words(
          `policies in trial would have made it ${textOf(effect)}: ${texts(listOf(policies))}`,
          listOf(approvals).length === 0 ? '' : `after the approval of ${texts(listOf(approvals))}`,
        ),
  ]);
}

function approvalLines(record: JsonObject, said: readonly JsonObject[]): readonly string[] {
  const { approval } = objectOf(record.unmapped);
  const { id, state, verdict, decisions } = objectOf(approval);
  const stands = listOf(decisions).map((one) => {
    const { by, need, how, verdict: word } = objectOf(one);
    return `${textOf(word)} by ${textOf(by)} for ${textOf(need)} (${textOf(how)})`;
  });
  const heard = said.map((word) => {
    const { who, timeMs, outcome } = toldOf(word);
    const { how, verdict: given } = objectOf(objectOf(word.unmapped).approval);
    const counts = outcome === textOf(given) ? '' : `, which did not count: ${outcome}`;
    return `${timeText(timeMs)}  ${who} said ${textOf(given)} (${textOf(how)})${counts}`;
  });
  return present([textOf(id) === '' ? '' : words(textOf(id), textOf(state) || textOf(verdict)), ...stands, ...heard]);
}

function resultLines(record: JsonObject): readonly string[] {
  const { result_bytes: bytes, result, cached } = objectOf(record.unmapped);
  const age = numberOf(objectOf(cached).age_ms);
  return present([
    numberOf(bytes) === undefined ? '' : words(`${numberOf(bytes)} bytes`, short(result)),
    age === undefined ? '' : `from the cache, ${durationText(age)} old`,
  ]);
}

function otherLine(record: JsonObject): string {
  const { timeMs, kind, event, who, outcome } = toldOf(record);
  const detail = textOf(record.status_detail);
  return words(
    timeText(timeMs),
    kind === 'other' ? event : kind,
    who === '' ? '' : `of ${who}`,
    detail === '' ? outcome : `${outcome}: ${detail}`,
  );
}

const recordName = (record: JsonObject): string =>
  `${toldOf(record).sequence} (${textOf(objectOf(record.unmapped).event)})`;

const DIGEST_CHARACTERS = 12;

/** A digest as people compare it: its first characters. `--json` has all of them. */
const short = (digest: Json | undefined): string =>
  textOf(digest).replace(/[0-9a-f]{16,}$/, (hex) => `${hex.slice(0, DIGEST_CHARACTERS)}\u2026`);

const words = (...texts: readonly string[]): string => texts.filter((text) => text !== '').join(' ');
const present = (lines: readonly string[]): readonly string[] => lines.filter((line) => line !== '');
