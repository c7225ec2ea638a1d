/** The other replicas, over HTTP, at the addresses that the operator wrote. */

import type { Config } from '../config/config.ts';
import type { Egress } from '../egress/egress.ts';
import { EgressError, type EgressReason } from '../egress/egress-error.ts';
import { streamedExchange } from '../egress/streamed-exchange.ts';
import { ALONE, type OtherReplicas } from '../entrypoint/forwarding.ts';

const NOTHING_SENT: ReadonlySet<EgressReason> = new Set<EgressReason>(['refused', 'unreachable']);

export function composeReplicas({ replicas }: Pick<Config, 'replicas'>, egress: Egress): OtherReplicas {
  if (replicas === undefined) return ALONE;
  const origins = new Map(Object.entries(replicas.peers).filter(([name]) => name !== replicas.self));
  const dispatch: Egress['dispatch'] = (policy, request, handler) => egress.dispatch(policy, request, handler);
  return {
    names: [...origins.keys()],
    async send(name, { path, headers, body, signal }) {
      const origin = origins.get(name);
      if (origin === undefined) return undefined;
      try {
        return await streamedExchange(dispatch, {
          policy: 'configured',
          origin,
          path,
          method: 'POST',
          headers: [...headers, 'accept-encoding', 'identity'],
          body,
          signal,
        });
      } catch (error) {
        if (error instanceof EgressError && NOTHING_SENT.has(error.reason)) return undefined;
        throw error;
      }
    },
  };
}
