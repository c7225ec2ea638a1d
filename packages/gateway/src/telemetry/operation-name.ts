/** What metrics and spans call an operation. */

import { methodOf, type Operation } from '../model/operation.ts';
import type { Era } from '../model/revision.ts';

/** The MCP method; one that no revision knows is whatever a client sent, and therefore `_OTHER`. */
export const boundedMethod = (operation: Operation, era: Era): string =>
  operation.kind === 'extension' || operation.kind === 'notify' ? '_OTHER' : methodOf(operation, era);
