/** The record as it grows. */

import type { AuditQuery, Found } from './search.ts';

export interface AuditFeed {
  /**
   * Hands over what is recorded from now on and matches, within a second, until the returned function is called. Intents are
   * left out: their outcomes follow. Undefined when as many follow as may.
   */
  follow(query: AuditQuery, take: (found: Found) => void): (() => void) | undefined;
}
