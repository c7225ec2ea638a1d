/** How long a server has to acknowledge a subscription, or to answer a request for one. */
export const FEED_TIMEOUT_MS = 10_000;
