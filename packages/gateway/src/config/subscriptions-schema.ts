/** Settings of `subscriptions`: what clients are told between calls. Every description is read by operators. */

import * as z from 'zod';

import { count } from './schema-words.ts';

export const subscriptionsSchema = z
  .strictObject({
    maxResources: count.default(100).describe('Resources of one listen request, or of one session of a legacy client.'),
    maxWatched: count.default(100_000).describe('Resources of all of them together; more are not acknowledged.'),
    maxFeeds: count
      .default(1000)
      .describe('Ways open at once on which servers tell of changes. Clients that share sessions share one.'),
  })
  .prefault({})
  .describe('What clients are told of changes. How many may listen is set by `requests.maxStreams`.');
