/** The official SDKs' clients behind one face, so that a requirement is written once for every client. */

import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseTransportV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  LoggingMessageNotificationSchema,
  ResourceUpdatedNotificationSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';

export type ClientKind = 'sdk-v1' | 'sdk-v2-legacy' | 'sdk-v2-modern';

/** With the transport of 2024-11-05, where the gateway has it switched on (`endpoints.legacySse`). */
export type AnyClientKind = ClientKind | 'sdk-v1-sse';

export const CLIENT_KINDS: readonly ClientKind[] = ['sdk-v1', 'sdk-v2-legacy', 'sdk-v2-modern'];

export const ALL_CLIENT_KINDS: readonly AnyClientKind[] = [...CLIENT_KINDS, 'sdk-v1-sse'];

export const eraOf = (kind: AnyClientKind): 'legacy' | 'modern' => (kind === 'sdk-v2-modern' ? 'modern' : 'legacy');

/** What the two SDKs' clients have in common, as far as the requirements use it. */
export type Logged = { readonly level: string; readonly data?: unknown };

export type MatrixClient = { readonly logged: Logged[] } & Pick<
  ClientV2,
  | 'getServerVersion'
  | 'getServerCapabilities'
  | 'getInstructions'
  | 'listTools'
  | 'listResources'
  | 'listResourceTemplates'
  | 'readResource'
  | 'listPrompts'
  | 'getPrompt'
  | 'complete'
  | 'callTool'
  | 'ping'
  | 'setLoggingLevel'
  | 'close'
> & {
    /** Opens what this era opens to hear of changes. Each is told to `heard`: `tools`, or the URI of a resource. */
    readonly hearOf: (wanted: Wanted, heard: (what: string) => void) => Promise<Heard>;
  };

export type Wanted = { readonly tools: boolean; readonly uris: readonly string[] };

/** `honoured` is what the server acknowledged; a legacy server acknowledges nothing. */
export type Heard = { readonly honoured?: unknown; readonly stop: () => Promise<unknown> };

const INFO = { name: 'matrix-client', version: '1.0.0' };

type Over = { readonly requestInit: RequestInit };

/** `url` is that of the endpoint for newer clients. */
export const transportV1 = (kind: AnyClientKind, url: string, over: Over): Transport =>
  kind === 'sdk-v1-sse'
    ? new SseTransportV1(new URL(url.replace(/\/mcp$/u, '/sse')), over)
    : new TransportV1(new URL(url), over);

export async function connectClient(kind: AnyClientKind, url: string, key: string): Promise<MatrixClient> {
  const over = { requestInit: { headers: { Authorization: `Bearer ${key}` } } };
  if (kind === 'sdk-v1' || kind === 'sdk-v1-sse') {
    const client = new ClientV1(INFO);
    await client.connect(transportV1(kind, url, over));
    return hearingV1(client);
  }
  const mode = kind === 'sdk-v2-modern' ? { pin: '2026-07-28' } : 'legacy';
  const client = new ClientV2(INFO, { versionNegotiation: { mode } });
  await client.connect(new TransportV2(new URL(url), over));
  return hearing(client, kind);
}

/** The same client of SDK v2, with the way of its era to hear of changes. */
export function hearing(client: ClientV2, kind: Exclude<ClientKind, 'sdk-v1'>): MatrixClient {
  const logged: Logged[] = [];
  client.setNotificationHandler('notifications/message', ({ params }) => void logged.push(params));
  const hearOf: MatrixClient['hearOf'] = async ({ tools, uris }, heard) => {
    client.setNotificationHandler('notifications/tools/list_changed', () => heard('tools'));
    client.setNotificationHandler('notifications/resources/updated', ({ params }) => heard(params.uri));
    if (kind === 'sdk-v2-legacy') {
      for (const uri of uris) await client.subscribeResource({ uri });
      return { stop: () => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri }))) };
    }
    const subscription = await client.listen({ toolsListChanged: tools, resourceSubscriptions: [...uris] });
    return { honoured: subscription.honoredFilter, stop: () => subscription.close() };
  };
  return Object.assign(client, { hearOf, logged });
}

/** A client of SDK v1 behind the face of v2's. */
export function hearingV1(client: ClientV1): MatrixClient {
  const logged: Logged[] = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void logged.push(params));
  const callTool: MatrixClient['callTool'] = (params, options) =>
    client.callTool(params, undefined, options) as ReturnType<MatrixClient['callTool']>;
  const hearOf: MatrixClient['hearOf'] = async ({ uris }, heard) => {
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => heard('tools'));
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => heard(params.uri));
    for (const uri of uris) await client.subscribeResource({ uri });
    return { stop: () => Promise.all(uris.map((uri) => client.unsubscribeResource({ uri }))) };
  };
  // The shapes the requirements read are the same; the two SDKs' declarations are not assignable to one another.
  return Object.assign(Object.create(client) as object, { callTool, hearOf, logged }) as unknown as MatrixClient;
}
