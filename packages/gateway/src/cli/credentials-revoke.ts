/** `sallyport credentials revoke`: the end of people's log-ins for servers, felt by every gateway within seconds. */

import process from 'node:process';
import { createInterface } from 'node:readline/promises';

import type { GrantFilter, GrantKey } from '../credential/grant.ts';
import type { GrantStore } from '../credential/grant-rows.ts';
import { revokeGrants, type RevokedGrant } from '../credential/revoke-grants.ts';
import { nearestName } from '../model/nearest-name.ts';
import { parsePrincipalKey } from '../model/principal.ts';
import { requireConfig } from './check.ts';
import { CommandError, type CommandContext } from './command.ts';
import { EXIT, type ExitCode } from './exit-code.ts';
import { withGrants } from './grant-store.ts';
import { table } from './terminal.ts';

export type CredentialsRevokeOptions = {
  readonly config: string;
  readonly user?: string;
  readonly server?: string;
  readonly tenant?: string;
  readonly all: boolean;
  readonly yes: boolean;
  readonly json: boolean;
};

const PAGE = 500;
const SHOWN = 10;

export async function credentialsRevoke(context: CommandContext, options: CredentialsRevokeOptions): Promise<ExitCode> {
  const { terminal } = context;
  if (options.all === (options.user !== undefined || options.server !== undefined)) {
    throw new CommandError('Whose, and for what?', EXIT.usage, 'Name --user, --server or both; or write --all.');
  }
  const loaded = requireConfig(context, options.config);
  return withGrants(loaded, async ({ store, vault, actor }) => {
    const { filter, keys } = await whatIsMeant(store, options);
    if (keys.length === 0) {
      terminal.out('Nobody has such a log-in: nothing was revoked.');
      return EXIT.done;
    }
    if (!options.yes && !(await confirmed(keys))) {
      terminal.err('Nothing was revoked.');
      return EXIT.failed;
    }
    // The record is told by the row that goes with the removal: a running gateway takes it over.
    const revoked = await revokeGrants(filter, { vault, issuerOf: () => undefined, note: () => undefined, by: actor });
    if (options.json) terminal.out(JSON.stringify(revoked.map(plain), null, 2));
    else
      for (const line of table([['who', 'server', 'at its issuer', 'issuer'], ...revoked.map(row)])) terminal.out(line);
    terminal.err(terminal.dim(`${revoked.length} revoked: every gateway refuses them within 5 seconds.`));
    return EXIT.done;
  });
}

type Meant = { readonly filter: GrantFilter; readonly keys: readonly GrantKey[] };

/** What there is of it now, for the question; what comes meanwhile is revoked with it. @throws CommandError */
async function whatIsMeant(store: GrantStore, { user, server, tenant }: CredentialsRevokeOptions): Promise<Meant> {
  const filter: GrantFilter = {
    ...(server === undefined ? {} : { server }),
    ...(tenant === undefined ? {} : { tenant }),
  };
  const all = await allKeys(store, filter);
  if (user === undefined) return { filter, keys: all };
  const theirs = all.filter(({ principal }) => principal === user || subjectOf(principal) === user);
  const people = new Map(theirs.map((key) => [key.principal, key]));
  const [first, second] = [...people.values()];
  if (first === undefined) {
    const near = nearestName(user, [...new Set(all.map(({ principal }) => subjectOf(principal)))]);
    if (near === undefined) return { filter, keys: [] };
    throw new CommandError(`"${user}" has no such log-in.`, EXIT.usage, `Did you mean ${near}?`);
  }
  if (second !== undefined) {
    const names = [...people.keys()].slice(0, SHOWN).join('\n  ');
    throw new CommandError(
      `Several people are called "${user}":\n  ${names}`,
      EXIT.usage,
      'Write one of these after --user.',
    );
  }
  return { filter: { ...filter, tenant: first.tenant, principal: first.principal }, keys: theirs };
}

async function allKeys(store: GrantStore, filter: GrantFilter): Promise<readonly GrantKey[]> {
  const keys: GrantKey[] = [];
  let after: string | undefined;
  do {
    const page = await store.list(filter, { ...(after === undefined ? {} : { after }), limit: PAGE });
    keys.push(...page.notes.map(({ key }) => key));
    after = page.next;
  } while (after !== undefined);
  return keys;
}

const subjectOf = (principal: string): string => parsePrincipalKey(principal)?.subject ?? principal;

async function confirmed(keys: readonly GrantKey[]): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new CommandError('Nobody is there to confirm it.', EXIT.usage, 'Add --yes where no terminal is.');
  }
  const names = [...new Set(keys.map(({ principal, server }) => `${subjectOf(principal)} at ${server}`))];
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : '';
  const asked = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await asked.question(`Revoke ${names.slice(0, SHOWN).join(', ')}${more}? Type yes: `);
    return answer.trim() === 'yes';
  } finally {
    asked.close();
  }
}

const AT_ISSUER: Readonly<Record<RevokedGrant['atIssuer'], string>> = {
  revoked: 'revoked',
  'not-revoked': 'not revoked: end it there, or wait for its end',
  unreadable: 'unknown: its key is gone',
};

const row = ({ key, issuer, atIssuer }: RevokedGrant): string[] => [
  subjectOf(key.principal),
  key.server,
  AT_ISSUER[atIssuer],
  issuer ?? '-',
];

const plain = ({ key, issuer, atIssuer }: RevokedGrant): object => ({ ...key, issuer, atIssuer });
