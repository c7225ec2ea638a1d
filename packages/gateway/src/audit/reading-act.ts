/** What somebody looked at, as the record tells it: the question, never the answer. */

import type { ReadingAct } from '../model/administration.ts';
import type { JsonObject } from '../model/json.ts';

export function readOf(act: ReadingAct | { readonly name: 'readAllTenants'; readonly of: ReadingAct }): JsonObject {
  switch (act.name) {
    case 'readAllTenants':
      return { ...readOf(act.of), tenants: 'all' };
    case 'readAudit':
      return { of: 'audit', ...('follow' in act ? { follow: true } : {}), query: { ...act.asked } };
    case 'readAuditBodies':
      return { of: 'bodies', request: act.request };
    case 'readUsage':
      return { of: 'usage', month: act.month.name, by: act.by };
    case 'readLive':
      return { of: 'live' };
    case 'readCredentials':
      return { of: 'credentials' };
  }
}
