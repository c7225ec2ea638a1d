/** Clients that listen, on the wire: a listen request of 2026-07-28, and the stream of a session of 2025-11-25. */

import { bearer, legacy, modern, send } from './http.ts';

export type Message = {
  readonly id?: unknown;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
};

export type Listening = {
  readonly status: number;
  /** In the order of their arrival. */
  readonly messages: readonly Message[];
  /** The methods of all but the first, with the URI where there is one. */
  heard(): readonly string[];
  /** Where it stands, of a stream that can be gone on with. */
  lastEventId(): string | undefined;
  readonly ended: Promise<void>;
  stop(): void;
};

export async function listen(url: string, key: string, notifications: object): Promise<Listening> {
  const { headers, body } = modern('subscriptions/listen', { notifications });
  return follow(url, {
    method: 'POST',
    headers: { ...headers, ...bearer(key) },
    body: String(body),
  });
}

export type LegacySession = { readonly key: string; readonly id: string };

export async function openSession(url: string, key: string): Promise<LegacySession> {
  const { headers, body } = legacy('initialize');
  const answer = await send(url, { headers: { ...headers, ...bearer(key) }, body });
  return { key, id: String(answer.headers['mcp-session-id']) };
}

export function openStream(url: string, { key, id }: LegacySession, after?: string): Promise<Listening> {
  const headers = { accept: 'text/event-stream', 'mcp-session-id': id, 'mcp-protocol-version': '2025-11-25' };
  const last = after === undefined ? {} : { 'last-event-id': after };
  return follow(url, { method: 'GET', headers: { ...headers, ...last, ...bearer(key) } });
}

export function ask(url: string, { key, id }: LegacySession, method: string, params: Record<string, unknown> = {}) {
  const { headers, body } = legacy(method, params, id);
  return send(url, { headers: { ...headers, ...bearer(key) }, body });
}

async function follow(url: string, request: RequestInit): Promise<Listening> {
  const controller = new AbortController();
  const response = await fetch(url, { ...request, signal: controller.signal });
  const messages: Message[] = [];
  let last: string | undefined;
  const read = async (): Promise<void> => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        last = /^id: (.+)$/mu.exec(event)?.[1] ?? last;
        const data = /^data: (.+)$/mu.exec(event)?.[1];
        if (data !== undefined) messages.push(JSON.parse(data) as Message);
      }
    }
    if (text.startsWith('{')) messages.push(JSON.parse(text) as Message);
  };
  return {
    status: response.status,
    messages,
    heard: () =>
      messages
        .filter(({ method }) => method !== undefined && method !== 'notifications/subscriptions/acknowledged')
        .map(({ method = '', params }) =>
          params?.['uri'] === undefined ? method : `${method} ${JSON.stringify(params['uri']).slice(1, -1)}`,
        ),
    lastEventId: () => last,
    ended: read().catch(() => undefined),
    stop: () => controller.abort(),
  };
}
