/** The gateway as the client of a server, where no caller stands behind a request: the codecs know its name. */

import type { ClientFacts } from '../model/request.ts';
import { NEWEST_MODERN } from '../model/revision.ts';

export const OURSELVES: ClientFacts = { era: 'modern', revision: NEWEST_MODERN, capabilities: {}, address: '' };
