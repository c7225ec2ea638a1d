/** Who may come in, what they may do, how much, and how secrets are changed. */

import type { LimitConfig } from '../../config/config.ts';
import type { ProductionFacts, ReferenceFacts } from './facts.ts';
import {
  count,
  fail,
  isLoopback,
  octal,
  pass,
  secondsText,
  sizeText,
  some,
  unknown,
  type Finding,
  type Row,
} from './row.ts';

const WEEK_MS = 7 * 86_400_000;
const WRITABLE_BY_OTHERS = 0o022;
const OPEN_TO_OTHERS = 0o077;

export const authentication: Row = {
  id: 'authentication',
  title: 'Authentication',
  question: 'clients must prove who they are',
  judge: (facts) => [...callers(facts), ...transport(facts)],
};

function callers({ config, storedKeys }: ProductionFacts): readonly Finding[] {
  const { issuers, apiKeys, workloads, failedAttempts } = config.identity;
  const ways = [
    ...(issuers.length > 0 ? [`tokens of ${some(issuers.map(({ issuer }) => issuer))}`] : []),
    ...(workloads.trustDomains.length > 0
      ? [`certificates of ${some(workloads.trustDomains.map(({ name }) => name))}`]
      : []),
    ...(apiKeys.length > 0 ? [`${count(apiKeys.length, 'API key')} of the configuration`] : []),
    ...(storedKeys.state === 'read' && storedKeys.good > 0 ? [count(storedKeys.good, 'stored API key')] : []),
  ];
  const always = pass(`Nobody comes in without a credential: the answer is 401, and at most ${failedAttempts.text}.`);
  if (ways.length > 0) return [pass(`Accepted: ${ways.join('; ')}.`), always];
  const mend = 'Add identity.issuers, or make a key: sallyport key create <name>.';
  if (storedKeys.state === 'not-asked' || storedKeys.state === 'away') {
    const more = 'the configuration names nobody who may come in, and stored API keys were not looked at';
    return [unknown(`Who may call: ${more}.`, `Add --storage to look at them. ${mend}`), always];
  }
  return [fail('Nobody can come in: there is no issuer, no trust domain and no API key.', mend), always];
}

function transport({ config }: ProductionFacts): readonly Finding[] {
  const { tls, listen, publicUrl } = config;
  const where = `${listen.host}:${listen.port}`;
  if (tls !== undefined) return [pass(`TLS on ${where}, with ${tls.certificateFile}.`)];
  if (publicUrl.startsWith('https:')) {
    if (isLoopback(listen.host)) return [pass(`Plain HTTP on loopback (${where}), behind a proxy at ${publicUrl}.`)];
    return [
      unknown(
        `${where} speaks plain HTTP and clients type ${publicUrl}: whether anybody but the proxy reaches it cannot be seen.`,
        'Listen on loopback beside the proxy, let the network keep others away, or set tls.',
      ),
    ];
  }
  if (isLoopback(listen.host)) return [pass(`Plain HTTP, on loopback only (${where}).`)];
  return [
    fail(
      `${where} speaks plain HTTP to other machines: credentials travel in the clear.`,
      'Set tls, or a publicUrl over https with a proxy that ends TLS.',
    ),
  ];
}

export const authorization: Row = {
  id: 'authorization',
  title: 'Authorization',
  question: 'each tool call is checked against permissions',
  judge: (facts) => [...policies(facts), ...wide(facts), ...writable(facts), ...privileged(facts)],
};

function policies({ policies: { count: number } }: ProductionFacts): readonly Finding[] {
  if (number === undefined) {
    return [fail('The policies cannot be used; the gateway would not start.', 'sallyport check says what is wrong.')];
  }
  return [
    pass(`Everything is denied that no policy allows (${count(number, 'policy')}); an error in a policy denies.`),
  ];
}

function wide({ policies: { permitEverything }, config }: ProductionFacts): readonly Finding[] {
  const open = config.servers.filter(
    ({ readOnly, allow }) =>
      !readOnly &&
      allow.some(({ who, tools, surfaces }) => who.kind === 'anyone' && tools.includes('*') && surfaces.length === 0),
  );
  return [
    ...permitEverything.map((id) =>
      fail(`The policy ${id} lets everybody call every tool.`, 'Name a group, a server or a condition in it.'),
    ),
    ...open.map(({ id }) =>
      fail(
        `Everyone may use every tool of ${id}, those that change something included (allow: anyone, "*").`,
        `Name a group or the tools, or set readOnly: true on ${id}.`,
      ),
    ),
  ];
}

function writable({ ownFiles }: ProductionFacts): readonly Finding[] {
  const open = ownFiles.filter((file) => file.state === 'there' && ((file.mode ?? 0) & WRITABLE_BY_OTHERS) !== 0);
  if (open.length === 0) return [];
  const names = open.map(({ path }) => path);
  return [
    fail(`Other users may write ${some(names)}: whoever does decides who may what.`, `chmod go-w ${names.join(' ')}`),
  ];
}

/** A tool can do what its credential can, whatever policies say of its arguments. */
function privileged({ references: all }: ProductionFacts): readonly Finding[] {
  return all.flatMap(({ name, usedBy, administrator, broadScopes: scopes = [] }) => [
    ...(administrator === undefined
      ? []
      : [
          fail(
            `${usedBy} (${name}) connects as the administrator "${administrator}".`,
            'Make an account that may do what its tools need and no more.',
          ),
        ]),
    ...(scopes.length === 0
      ? []
      : [
          fail(
            `${usedBy} (${name}) is one token for every caller, with scopes that reach far: ${some(scopes)}.`,
            'Ask its issuer for one with the scopes that the tools need.',
          ),
        ]),
  ]);
}

export const credentialRotation: Row = {
  id: 'credential-rotation',
  title: 'Credential rotation',
  question: 'you can rotate secrets without downtime',
  judge: (facts) => [...keysOfCallers(facts), ...ending(facts), ...references(facts)],
};

function keysOfCallers({ config, storedKeys }: ProductionFacts): readonly Finding[] {
  const { apiKeys } = config.identity;
  const endless = apiKeys.filter(({ expiresAtMs }) => expiresAtMs === undefined).map(({ name }) => name);
  const found: Finding[] = [];
  if (endless.length > 0) {
    found.push(fail(`API keys that never end: ${some(endless)}.`, 'Give each an "expires" in identity.apiKeys.'));
  } else if (apiKeys.length > 0) {
    found.push(pass(`${count(apiKeys.length, 'API key')} of the configuration, each with an end.`));
  }
  if (storedKeys.state === 'read' && storedKeys.endless.length > 0) {
    const mend = 'sallyport key expire <name> --in 90d, and --expires for new ones.';
    found.push(fail(`Stored API keys that never end: ${some(storedKeys.endless)}.`, mend));
  } else if (storedKeys.state === 'read' && storedKeys.good > 0) {
    found.push(pass(`${count(storedKeys.good, 'stored API key')}, each with an end; changed while the gateway runs.`));
  } else if (storedKeys.state === 'away') {
    found.push(unknown(`Stored API keys could not be looked at: ${storedKeys.reason}`, 'Try again when it answers.'));
  } else if (storedKeys.state === 'not-asked') {
    found.push(
      unknown('Stored API keys were not looked at.', 'Add --storage: it opens the database as a gateway does.'),
    );
  }
  return found;
}

/** Keys of the file are told from the file; leases end within hours by nature, and are renewed. */
const RENEWED_OR_TOLD: ReadonlySet<string> = new Set(['api-key', 'secret-lease']);

function ending({ config, running, nowMs }: ProductionFacts): readonly Finding[] {
  const ofFile = config.identity.apiKeys.flatMap(({ name, expiresAtMs }) =>
    expiresAtMs === undefined ? [] : [{ credential: `API key ${name}`, expiresAtMs }],
  );
  const ofGateway =
    running.state === 'answers' ? running.credentials.filter(({ kind }) => !RENEWED_OR_TOLD.has(kind)) : [];
  const all = [...ofFile, ...ofGateway.map((one) => ({ ...one, credential: `${one.kind} ${one.credential}` }))];
  const soon = all.filter(({ expiresAtMs }) => expiresAtMs - nowMs < WEEK_MS);
  return soon.map(({ credential, expiresAtMs }) => {
    const when = new Date(expiresAtMs).toISOString();
    return expiresAtMs <= nowMs
      ? fail(`Expired: ${credential}, on ${when}.`, 'Renew it, or remove it.')
      : fail(`Ends within a week: ${credential}, on ${when}.`, 'Renew it now.');
  });
}

function references({ references: all }: ProductionFacts): readonly Finding[] {
  const found: Finding[] = [];
  for (const { name, usedBy, kind, fault } of all) {
    if (fault === undefined) continue;
    // The file may be checked on another machine than the one that it is for.
    if (kind === 'env')
      found.push(unknown(`${usedBy}: ${fault}`, 'Run this where the gateway runs, with its environment.'));
    else found.push(fail(`${usedBy}: ${fault}`, `Put the secret where ${name} leads to.`));
  }
  const open = all.filter(({ mode }) => ((mode ?? 0) & OPEN_TO_OTHERS) !== 0);
  for (const { name, mode } of open) {
    found.push(
      fail(`${name} is open to other users (mode ${octal(mode ?? 0)}).`, `chmod 600 ${name.slice('file:'.length)}`),
    );
  }
  found.push(...rotated(all));
  return found;
}

function rotated(all: readonly ReferenceFacts[]): readonly Finding[] {
  const of = (kind: ReferenceFacts['kind']): readonly string[] => [
    ...new Set(all.filter((one) => one.kind === kind && one.fault === undefined).map(({ name }) => name)),
  ];
  const [files, variables] = [of('file'), of('env')];
  const stored = [...of('vault'), ...of('exec'), ...of('aws-sm')];
  return [
    ...(stored.length > 0 ? [pass(`Asked for again while the gateway runs: ${some(stored)}.`)] : []),
    ...(files.length > 0 ? [pass(`Read again when they change: ${some(files)}.`)] : []),
    ...(variables.length > 0
      ? [
          unknown(
            `Variables change with a restart only: ${some(variables)}. Whether another gateway answers meanwhile cannot be seen.`,
            'Write file:/path instead, or restart one gateway after the other.',
          ),
        ]
      : []),
  ];
}

export const rateLimiting: Row = {
  id: 'rate-limiting',
  title: 'Rate limiting',
  question: "one client can't overwhelm the server",
  judge: ({ config: { limits, requests, servers } }) => [
    ...perCaller(limits),
    ...loops(limits),
    pass(
      `At once: ${requests.maxConcurrent} requests, ${requests.maxStreams} streams, ${requests.maxStreamsPerPrincipal} of one caller` +
        `${servers.length === 0 ? '' : `; calls to one server: ${Math.max(...servers.map(({ maxInFlight }) => maxInFlight))} at the most`}.`,
    ),
  ],
};

/** Of each caller, on whatever is called. */
const coversCallers = ({ per, server, tool, risk }: LimitConfig): boolean =>
  (per === 'principal' || per === 'client' || per === 'address') &&
  server === undefined &&
  risk === undefined &&
  (tool === undefined || tool === '*');

function perCaller(limits: readonly LimitConfig[]): readonly Finding[] {
  const covering = limits.filter(coversCallers);
  if (covering.length > 0) return [pass(`For every caller: ${some(covering.map(({ text }) => text))}.`)];
  const partial = limits.filter(({ per }) => per !== 'call');
  const seen = partial.length === 0 ? 'There is none' : `There are only ${some(partial.map(({ text }) => text))}`;
  return [
    fail(
      `No limit holds for every caller and every call. ${seen}.`,
      'Add to limits: { per: principal, rate: 600/minute, burst: 100 }.',
    ),
  ];
}

function loops(limits: readonly LimitConfig[]): readonly Finding[] {
  const breaker = limits.find(({ per }) => per === 'call');
  return breaker === undefined
    ? [fail('loopBreaker is off: an agent that goes in circles is not stopped.', 'Remove the line "loopBreaker: off".')]
    : [pass(`The same call again and again: ${breaker.text}.`)];
}

const MUCH_BODY_BYTES = 64 * 1024 * 1024;

export const inputValidation: Row = {
  id: 'input-validation',
  title: 'Input validation',
  question: 'all tool parameters are validated',
  judge: ({ config: { requests, servers } }) => {
    const { maxBodyBytes, maxDepth, bodyTimeoutMs } = requests;
    const bounds = `bodies of ${sizeText(maxBodyBytes)}, ${maxDepth} deep, within ${secondsText(bodyTimeoutMs)}`;
    const kinds = servers.flatMap(({ traits }) => traits.flatMap(({ declared = [] }) => declared));
    return [
      pass("Arguments are checked against the tool's schema before a call leaves; no setting turns that off."),
      maxBodyBytes > MUCH_BODY_BYTES
        ? fail(
            `Larger requests than a gateway should hold are taken: ${bounds}.`,
            'Set requests.maxBody to 4MiB or what you need.',
          )
        : pass(`At most: ${bounds}.`),
      ...(kinds.length === 0
        ? []
        : [pass(`Judged by their meaning as well: ${count(kinds.length, 'argument')} declared as path, url or sql.`)]),
    ];
  },
};
