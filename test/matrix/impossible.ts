/** What no gateway can translate, because one side of the protocol has no place for it, and what happens instead. */

export type Impossible = { readonly what: string; readonly why: string; readonly instead: string };

export const IMPOSSIBLE: readonly Impossible[] = [
  {
    what: 'A server of 2025-11-25 asks a client of 2026-07-28 something outside of a call',
    why: 'such a client can only be asked in the answer to a request of its own',
    instead: 'the server gets an error; `ping` is answered by the gateway',
  },
  {
    what: 'What a server of 2025-11-25 remembers of one client, for a client of 2026-07-28',
    why: 'requests of 2026-07-28 name no conversation',
    instead: 'its sessions are those of the caller (`sharing`), and not of one client',
  },
  {
    what: 'Going on with a stream of 2026-07-28 that broke off',
    why: 'the revision has no resumption: the end of a stream is a cancellation',
    instead: 'the call is cancelled at the server, and made again by its client',
  },
  {
    what: '`notifications/roots/list_changed` to a server of 2026-07-28',
    why: 'the revision does not have it',
    instead: 'it is dropped; the server asks for the roots when it needs them',
  },
  {
    what: '`notifications/elicitation/complete` to a client of 2026-07-28',
    why: 'the revision does not have it',
    instead: 'the client makes the call again, as its person says that the page was visited',
  },
];
