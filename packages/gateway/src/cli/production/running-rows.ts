/** How it is seen that something is wrong, how it stops, and what is left when everything is gone. */

import type { AuditFacts, BackupFacts, Copy, ProductionFacts } from './facts.ts';
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

const OPEN_TO_OTHERS = 0o077;

export const monitoring: Row = {
  id: 'monitoring',
  title: 'Monitoring',
  question: "you'll know when something breaks",
  judge: (facts) => [...metrics(facts), ...alerts(facts)],
};

const OPERATIONS_OFF = fail(
  'The operations listener is off: no metrics, no health, no status.',
  'Set operations: 127.0.0.1:9090, or an address that your Prometheus reaches.',
);

function metrics({ config, running }: ProductionFacts): readonly Finding[] {
  if (config.operations === undefined) return [OPERATIONS_OFF];
  if (running.state === 'away') return [nobodyAnswers(running.url)];
  if (running.series === undefined) {
    return [fail(`${running.url}/metrics does not answer with metrics.`, 'Look into the log of the gateway.')];
  }
  return [pass(`${running.url}/metrics answers with ${running.series} series.`)];
}

const nobodyAnswers = (url: string | undefined): Finding =>
  unknown(
    url === undefined ? 'No running gateway was asked.' : `No gateway answers at ${url}.`,
    'Start it, or name its operations address with --url.',
  );

function alerts({ prometheus }: ProductionFacts): readonly Finding[] {
  if (prometheus.state === 'not-asked') {
    return [
      unknown(
        'Whether a Prometheus collects the metrics and has the alert rules cannot be seen from here.',
        'Load deploy/prometheus/*.yaml, and name your Prometheus with --prometheus <url>.',
      ),
    ];
  }
  if (prometheus.state === 'away') {
    return [
      fail(`Prometheus at ${prometheus.url}: ${prometheus.reason}.`, 'Name the right address with --prometheus.'),
    ];
  }
  const { url, rules, scraped } = prometheus;
  return [
    rules === 0
      ? fail(`${url} has no alert rule of Sallyport.`, 'Load deploy/prometheus/sallyport-alerts.yaml with rule_files.')
      : pass(`${url} has ${count(rules, 'alert rule')} of Sallyport.`),
    scraped === 0
      ? fail(`${url} collects from no Sallyport gateway.`, 'Add its operations address to scrape_configs.')
      : pass(`${url} collects from ${count(scraped, 'gateway')}.`),
  ];
}

export const logging: Row = {
  id: 'logging',
  title: 'Logging',
  question: 'you can reconstruct what happened after an incident',
  judge: ({ audit, config }) => [
    pass(
      `Every decision and call is recorded in ${config.audit.file}, hash-chained; sallyport audit verify proves it.`,
    ),
    ...fileOfRecord(audit),
    ...placeOfRecord(audit),
  ],
};

function fileOfRecord({ file, folder, writable }: AuditFacts): readonly Finding[] {
  const found: Finding[] = [];
  if (file.state === 'unreadable') {
    found.push(fail(`${file.path}: ${file.reason}.`, 'Give the user that runs the gateway read and write access.'));
  } else if (!writable) {
    found.push(
      fail(`${folder} cannot be written by this user.`, 'Run this as the user of the gateway, or change the owner.'),
    );
  }
  if (file.state === 'there' && ((file.mode ?? 0) & OPEN_TO_OTHERS) !== 0) {
    found.push(
      fail(
        `Other users may open ${file.path} (mode ${octal(file.mode ?? 0)}): it says who did what.`,
        `chmod 600 ${file.path}`,
      ),
    );
  }
  return found;
}

const LITTLE_BYTES = 1024 ** 3;

function placeOfRecord({ folder, medium, freeBytes }: AuditFacts): readonly Finding[] {
  const elsewhere = 'Set audit.file to a folder on a disk that stays.';
  const found: Finding[] = [];
  if (medium === 'memory')
    found.push(fail(`${folder} is in memory: a restart of the machine loses the record.`, elsewhere));
  if (medium === 'container')
    found.push(
      fail(`${folder} belongs to the layers of a container: the record ends with it.`, 'Mount a volume there.'),
    );
  if (medium === 'network')
    found.push(
      unknown(
        `${folder} is on a network file system: whether a sync reaches a disk cannot be seen.`,
        'Use a local disk.',
      ),
    );
  if (medium === 'unknown') found.push(unknown(`What kind of disk ${folder} is on cannot be seen.`, elsewhere));
  if (freeBytes === undefined) return found;
  const free = `${sizeText(freeBytes)} are free in ${folder}`;
  found.push(
    freeBytes < LITTLE_BYTES
      ? fail(`Only ${free}.`, 'Make room, or move audit.file: a full disk stops every call that changes something.')
      : pass(`${free}.`),
  );
  return found;
}

export const gracefulShutdown: Row = {
  id: 'graceful-shutdown',
  title: 'Graceful shutdown',
  question: 'active connections are drained on restart',
  judge: ({ config: { drainMs, drainDelayMs, listen, servers } }) => {
    const longest = Math.max(0, ...servers.map(({ timeouts }) => timeouts.totalMs));
    const cut =
      longest > drainMs ? ` Calls may take ${secondsText(longest)}: longer ones are cut, and recorded so.` : '';
    const inAll = secondsText(drainMs + drainDelayMs);
    return [
      drainMs >= 1000
        ? pass(
            `Open calls have ${secondsText(drainMs)} to finish.${cut} Whoever stops it must wait ${inAll} before killing it.`,
          )
        : fail('Open calls have less than a second to finish.', 'Set drain: 20s.'),
      drainDelayMs > 0
        ? pass(
            `It goes on for ${secondsText(drainDelayMs)} after SIGTERM while /readyz already says that it is draining.`,
          )
        : isLoopback(listen.host)
          ? pass('It takes no new calls as soon as it is stopped (drainDelay: off); it listens on loopback only.')
          : unknown(
              'It takes no new calls as soon as it is stopped (drainDelay: off). Whether a load balancer would notice in time cannot be seen.',
              'Behind a load balancer set drainDelay longer than its check takes to notice, for example 10s.',
            ),
    ];
  },
};

export const healthChecks: Row = {
  id: 'health-checks',
  title: 'Health checks',
  question: 'load balancers can detect when the server is unhealthy',
  judge: (facts) => [...probes(facts), ...health(facts), ...protectedServers(facts)],
};

function probes({ config: { operations, listen } }: ProductionFacts): readonly Finding[] {
  if (operations === undefined) return [OPERATIONS_OFF];
  const where = `${operations.host}:${operations.port}`;
  if (isLoopback(operations.host) && !isLoopback(listen.host)) {
    return [
      unknown(
        `/readyz is on loopback (${where}) while calls come from elsewhere: whether the load balancer can ask it cannot be seen.`,
        'Set operations to an address that it reaches, and keep callers away from it.',
      ),
    ];
  }
  return [pass(`/healthz and /readyz on ${where}.`)];
}

function health({ config, running }: ProductionFacts): readonly Finding[] {
  if (config.operations === undefined) return [];
  if (running.state === 'away') return [nobodyAnswers(running.url)];
  const { url, notReady, unwell, dependencies, policiesRefused, otherFile } = running;
  const away = dependencies.filter(({ up }) => !up);
  return [
    ...(otherFile === undefined
      ? []
      : [unknown(`The gateway at ${url} runs another configuration: ${otherFile}.`, 'Name the right one with --url.')]),
    notReady === undefined
      ? pass(`${url} is ready.`)
      : fail(`${url} is not ready: ${notReady}.`, 'See sallyport status.'),
    ...unwell.map(({ id, state, reason }) =>
      fail(
        `The server ${id} is ${state}${reason === undefined ? '' : `: ${reason}`}.`,
        'See docs/operations.md, "When a server is unhealthy".',
      ),
    ),
    ...away.map(({ name, kind, reason }) =>
      fail(
        `The ${kind} ${name} is away${reason === undefined ? '' : `: ${reason}`}.`,
        'See docs/operations.md, "SallyportDependencyDown".',
      ),
    ),
    ...(policiesRefused
      ? [fail('The policy files cannot be used; older ones are in force.', 'sallyport check says what is wrong.')]
      : []),
  ];
}

function protectedServers({ config: { servers, disabledServers }, problems }: ProductionFacts): readonly Finding[] {
  const unguarded = servers.filter(({ breaker }) => breaker === undefined).map(({ id }) => id);
  const found: Finding[] = disabledServers.map(({ id, reason }) =>
    fail(`The server ${id} is disabled: ${reason}`, 'Mend the line.'),
  );
  const others = problems.filter(({ server }) => server === undefined);
  found.push(...others.map(({ path, message }) => fail(`${path} ${message}`, 'sallyport check says more.')));
  if (unguarded.length > 0) {
    const mend = 'Remove "breaker: off": callers then wait for a server that does not answer.';
    found.push(fail(`Without a circuit breaker: ${some(unguarded)}.`, mend));
  } else if (servers.length > 0) {
    const longest = Math.max(...servers.map(({ timeouts }) => timeouts.maxMs));
    found.push(
      pass(
        `Each of ${count(servers.length, 'server')} has a circuit breaker and answers within ${secondsText(longest)}.`,
      ),
    );
  }
  return found;
}

export const backupPlan: Row = {
  id: 'backup-plan',
  title: 'Backup plan',
  question: 'you know what to do if the server goes down entirely',
  judge: (facts) => [...keyRing(facts), ...database(facts), ...copies(facts.backup)],
};

function keyRing({ keyRing: ring }: ProductionFacts): readonly Finding[] {
  if (ring.state === 'missing') {
    return [unknown(`The key ring ${ring.path} is not made yet.`, 'It is made at the first start. Back it up then.')];
  }
  if (ring.state === 'unreadable')
    return [fail(`The key ring ${ring.path}: ${ring.reason}.`, `chmod 600 ${ring.path}`)];
  if (((ring.mode ?? 0) & OPEN_TO_OTHERS) !== 0) {
    return [fail(`Other users may open the key ring (mode ${octal(ring.mode ?? 0)}).`, `chmod 600 ${ring.path}`)];
  }
  return [pass(`The key ring ${ring.path} is there, for its owner alone.`)];
}

function database({ config: { storage } }: ProductionFacts): readonly Finding[] {
  return storage.kind === 'memory'
    ? [
        fail(
          'storage.url is memory: stored API keys and approvals end with the process.',
          'Set storage.url to sqlite: or postgres:.',
        ),
      ]
    : [];
}

function copies(backup: BackupFacts): readonly Finding[] {
  if (backup.state === 'not-asked') {
    return [
      unknown(
        'Copies that are kept elsewhere cannot be seen: configuration, policies, key ring, record and database.',
        'docs/operations.md, "Backup and restore", says what and in which order; --backup <folder> looks at yours.',
      ),
    ];
  }
  if (backup.state === 'missing')
    return [fail(`${backup.folder}: ${backup.reason}.`, 'Name the folder of your newest backup.')];
  return backup.copies.map((copy) => ofCopy(copy, backup.folder));
}

const OLD_MS = 2 * 86_400_000;
const DAY_MS = 86_400_000;

function ofCopy({ of, state, ageMs = 0 }: Copy, folder: string): Finding {
  if (state === 'missing') return fail(`${folder} has no copy of ${of}.`, 'Back it up: see docs/operations.md.');
  if (state === 'differs') return fail(`The copy of ${of} in ${folder} is of another state.`, 'Back it up again.');
  if (state === 'same') return pass(`${folder} has ${of} as it is.`);
  const age = `The copy of ${of} in ${folder} is ${Math.max(0, ageMs / DAY_MS).toFixed(1)} days old`;
  return ageMs > OLD_MS ? fail(`${age}.`, 'Back it up every day.') : pass(`${age}.`);
}
