/** `initialize` of a legacy client: the answer is discovery, and everything we must remember goes into the session id. */

import { failure } from '../model/failure.ts';
import { NEWEST_LEGACY } from '../model/revision.ts';
import { serverCodecFor } from '../protocol/codecs.ts';
import type { RpcRequest } from '../protocol/json-rpc.ts';
import type { EndpointArrival } from './arrival.ts';
import { refuse, sourceOf } from './arrival.ts';
import { replyTo } from './reply-to.ts';
import type { Speaker } from './run-call.ts';
import { runCall, sealsFor } from './run-call.ts';

export const TOO_MUCH_SAID =
  'clientInfo and capabilities are too large for a session id. Send shorter ones: together at most about 1,000 bytes.';

export async function receiveInitialize(arrival: EndpointArrival, message: RpcRequest): Promise<void> {
  const seals = sealsFor(arrival);
  const decoded = serverCodecFor(NEWEST_LEGACY).decode(message, { seals });
  if (decoded.kind === 'refused') return refuse(arrival, decoded.failure, { era: 'legacy', id: decoded.id });
  if (decoded.kind !== 'request') throw new Error('initialize was decoded as something other than a request.');

  const revision = decoded.negotiated ?? NEWEST_LEGACY;
  const { info, capabilities = {} } = decoded.client;
  const described: Speaker = { era: 'legacy', revision, capabilities, sealedFor: [] };
  const speaker = info === undefined ? described : { ...described, info };
  const reply = replyTo(arrival, { mayStream: false });
  const codec = serverCodecFor(revision);
  const { answer, headers, handled } = await runCall({ arrival, codec, decoded, speaker, seals, reply });
  if (handled.outcome.kind === 'failed' || handled.principal === undefined) return reply.finish(answer, headers);

  const session = { principal: handled.principal.key, path: arrival.route.path, revision, capabilities };
  const issued = arrival.parts.sessionIds.issue(info === undefined ? session : { ...session, info });
  if (!issued.ok) {
    return refuse(arrival, failure('invalid-params', { message: TOO_MUCH_SAID }), { era: 'legacy', id: decoded.id });
  }
  const { id, nonce, expiresAtMs } = issued.value;
  const { endpoint } = arrival.route;
  const opened = { of: 'mcp', session: nonce, principal: handled.principal, expiresAtMs, endpoint } as const;
  arrival.parts.followedSessions.opened({ ...opened, ...sourceOf(arrival) });
  return reply.finish(answer, ['Mcp-Session-Id', id]);
}
