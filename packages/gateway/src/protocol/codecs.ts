/** Which translator speaks which revision. The only importer of the `rev-*` folders. */

import type { Revision } from '../model/revision.ts';
import type { ClientCodec, LegacyHandshake, ServerCodec } from './codec.ts';
import { createClientCodec, handshake } from './rev-2025-11-25/client-codec.ts';
import { createServerCodec } from './rev-2025-11-25/server-codec.ts';
import { clientCodec } from './rev-2026-07-28/client-codec.ts';
import { serverCodec } from './rev-2026-07-28/server-codec.ts';

const SERVERS: Readonly<Record<Revision, ServerCodec>> = {
  '2025-03-26': createServerCodec('2025-03-26'),
  '2025-06-18': createServerCodec('2025-06-18'),
  '2025-11-25': createServerCodec('2025-11-25'),
  '2026-07-28': serverCodec,
};

const CLIENTS: Readonly<Record<Revision, ClientCodec>> = {
  '2025-03-26': createClientCodec('2025-03-26'),
  '2025-06-18': createClientCodec('2025-06-18'),
  '2025-11-25': createClientCodec('2025-11-25'),
  '2026-07-28': clientCodec,
};

/** We as the server of a client of this revision. */
export const serverCodecFor = (revision: Revision): ServerCodec => SERVERS[revision];

/** We as the server of a client of 2024-11-05, whose requests are those of 2025-03-26. */
export const oldestServerCodec: ServerCodec = createServerCodec('2024-11-05');

/** We as the client of an upstream of this revision. */
export const clientCodecFor = (revision: Revision): ClientCodec => CLIENTS[revision];

/** How a session with a legacy upstream is opened, whichever revision it then chooses. */
export const legacyHandshake: LegacyHandshake = handshake;
