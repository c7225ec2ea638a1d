/** The metrics of what is told between calls; part of the list in `metric-names.ts`. */

export const SUBSCRIPTION_METRICS = {
  subscriptions: {
    name: 'sallyport.subscriptions.active',
    kind: 'gauge',
    attributes: ['era'],
    meaning: 'Clients that listen for changes now: open session streams (legacy) and listen requests (modern).',
  },
  feeds: {
    name: 'sallyport.upstream.feeds',
    kind: 'gauge',
    attributes: ['server'],
    meaning: 'Open ways on which a server tells of changes by itself; many clients share one.',
  },
  changesTold: {
    name: 'sallyport.subscriptions.notifications',
    kind: 'counter',
    attributes: ['of'],
    meaning: 'Changes told to clients, by what changed: tools, prompts, resources (the lists), resource (one of them).',
  },
} as const;
