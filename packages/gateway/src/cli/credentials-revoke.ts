/** `sallyport credentials revoke`: the end of people's log-ins for servers, felt by every gateway within seconds. */

import process from 'node:process';
import { createInterface } from 'node:readline/promises';

import type { GrantFilter, GrantKey } from '../credential/grant.ts';
import type { GrantStore } from '../credential/grant-rows.ts';
import { revokeGrants, type RevokedGrant } from '../credential/revoke-grants.ts';
import { allNotes, subjectOf, whichGrants } from '../credential/which-grants.ts';
import { nearestName } from '../model/nearest-name.ts';
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

const SHOWN = 10;

export async function credentialsRevoke(context: CommandContext, options: CredentialsRevokeOptions): Promise<ExitCode> {
  const { terminal } = context;
  if (options.all === (options.user !== undefined || options.server !== undefined)) {
    throw new CommandError('Whose, and for what?', EXIT.usage, 'Name --user, --server or both; or write --all.');
  }
  const loaded = requireConfig(context, options.config);
  return withGrants(loaded, async ({ store, vault, issuerOf, actor }) => {
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
    const revoked = await revokeGrants(filter, { vault, issuerOf, note: () => undefined, by: actor });
    if (options.json) terminal.out(JSON.stringify(revoked.map(plain), null, 2));
    else
      for (const line of table([['who', 'server', 'at its issuer', 'issuer'], ...revoked.map(row)])) terminal.out(line);
    terminal.err(terminal.dim(`${revoked.length} revoked: every gateway refuses them within 5 seconds.`));
    return EXIT.done;
  });
}

/** What there is of it now, for the question. @throws CommandError for a name that is nobody's, or several people's. */
async function whatIsMeant(store: GrantStore, options: CredentialsRevokeOptions): Promise<Meant> {
  const { user, server, tenant } = options;
  const { filter, keys, people } = await whichGrants(store, {
    ...(user === undefined ? {} : { user }),
    ...(server === undefined ? {} : { server }),
    ...(tenant === undefined ? {} : { tenant }),
  });
  if (filter === undefined) {
    const names = people.slice(0, SHOWN).join('\n  ');
    throw new CommandError(
      `Several people are called "${user}":\n  ${names}`,
      EXIT.usage,
      'Write one of these after --user.',
    );
  }
  if (user !== undefined && keys.length === 0) {
    const known = new Set<string>();
    for await (const { key } of allNotes(store, {})) known.add(subjectOf(key.principal));
    const near = nearestName(user, [...known]);
    if (near !== undefined)
      throw new CommandError(`"${user}" has no such log-in.`, EXIT.usage, `Did you mean ${near}?`);
  }
  return { filter, keys };
}

type Meant = { readonly filter: GrantFilter; readonly keys: readonly GrantKey[] };

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
