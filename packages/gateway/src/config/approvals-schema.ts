/** Settings of `approvals`: calls that a person has to agree to. Every description is read by operators. */

import * as z from 'zod';

import { count, duration } from './schema-words.ts';

export const approvalsSchema = z
  .strictObject({
    lifetime: duration.prefault('15m').describe('How long an approval can be given, and then used.'),
    wait: duration
      .prefault('25s')
      .describe('How long a call that is made again waits for the decision. Shorter than the timeouts of clients.'),
    answer: duration
      .prefault('2m')
      .describe('For the person to answer a question that a client of a revision before 2026-07-28 shows.'),
    maxPending: count.default(20).describe('How many calls of one caller may wait for an approval at once.'),
  })
  .prefault({})
  .describe('Calls that a policy permits with `@approval` only.');
