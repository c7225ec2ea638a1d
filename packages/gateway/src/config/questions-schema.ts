/** Settings of `questions`: what servers ask in the middle of a call. Every description is read by operators. */

import * as z from 'zod';

import { count, duration } from './schema-words.ts';

export const questionsSchema = z
  .strictObject({
    answer: duration
      .prefault('5m')
      .describe('How long the call of a server before 2026-07-28 is kept open for the person to answer.'),
    maxParked: count.default(2000).describe('Such calls at once; what is asked beyond them fails its call.'),
    maxParkedPerPrincipal: count.default(20).describe('Such calls of one caller at once.'),
    maxRounds: count.default(32).describe('How often such a server may ask in one call.'),
  })
  .prefault({})
  .describe('What servers ask the person, the model or the client in the middle of a call.');
