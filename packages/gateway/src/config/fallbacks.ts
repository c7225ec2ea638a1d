/** `onFailure: {server}` names another server of the file. One that is not there is told of, and the tool fails as without. */

import type { PathStep } from './document.ts';
import type { ParsedServer } from './server-schema.ts';

type Found = { readonly path: readonly PathStep[]; readonly message: string };

export function unusableFallbacks(id: string, { tools }: ParsedServer, servers: readonly string[]): readonly Found[] {
  return Object.entries(tools).flatMap(([pattern, { onFailure }]): Found[] => {
    if (typeof onFailure !== 'object' || !('server' in onFailure)) return [];
    const { server } = onFailure;
    const path = ['tools', pattern, 'onFailure', 'server'];
    if (server === id) return [{ path, message: 'is the server itself. Name another one that has the tool.' }];
    return servers.includes(server) ? [] : [{ path, message: `There is no server "${server}" in this file.` }];
  });
}
