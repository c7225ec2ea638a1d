/** People's grants as rows of the list of credentials: from what stands beside them in the clear, so that none is opened for it. */

import type { CredentialReport, CredentialSource } from '../credential/credential-report.ts';
import type { GrantNote, GrantStore } from '../credential/grant-rows.ts';
import { subjectOf } from '../credential/which-grants.ts';

const PAGE = 1_000;
/** As many as the whole list shows. */
const MAX_GRANTS = 10_000;

/** @param now Milliseconds since the epoch. */
export const grantReport = (store: Pick<GrantStore, 'list'>, now: () => number): CredentialSource => ({
  async report(tenant) {
    const rows: CredentialReport[] = [];
    const filter = tenant === undefined ? {} : { tenant };
    let after: string | undefined;
    do {
      const page = await store.list(filter, { limit: PAGE, ...(after === undefined ? {} : { after }) });
      rows.push(...page.notes.map((note) => rowOf(note, now())));
      after = page.next;
    } while (after !== undefined && rows.length < MAX_GRANTS);
    return rows;
  },
});

function rowOf(note: GrantNote, nowMs: number): CredentialReport {
  const { key, version, scopes, obtainedAtMs, expiresAtMs, refusedAtMs, lastUsedAtMs, lastFailure } = note;
  // One that has ended is renewed when it is needed; whether it can be, only its issuer knows.
  const isFailing = lastFailure !== undefined && lastFailure.atMs > note.writtenAtMs;
  return {
    owner: subjectOf(key.principal),
    tenant: key.tenant,
    server: key.server,
    kind: 'grant',
    references: [],
    scopes,
    version: String(version),
    obtainedAtMs,
    ...(expiresAtMs === undefined ? {} : { expiresAtMs }),
    ...(lastUsedAtMs === undefined ? {} : { lastUsedAtMs }),
    ...(lastFailure === undefined || lastFailure.atMs > nowMs
      ? {}
      : { lastFailure: { atMs: lastFailure.atMs, reason: lastFailure.why } }),
    state:
      refusedAtMs !== undefined
        ? 'needs-login'
        : isFailing
          ? 'failing'
          : lastUsedAtMs === undefined
            ? 'unused'
            : 'good',
  };
}
