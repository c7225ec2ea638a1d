/** Who we say we are: as a server to clients, and as a client to upstreams. */

import type { JsonObject } from '../model/json.ts';

/** An MCP `Implementation`. `identity.test.ts` keeps the version equal to the package's. */
export const SALLYPORT = { name: 'sallyport', title: 'Sallyport', version: '0.1.0' } as const satisfies JsonObject;
