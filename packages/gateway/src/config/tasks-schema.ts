/** Settings of `tasks`: calls that go on at their server after it has answered. Every description is read by operators. */

import * as z from 'zod';

import { count, duration } from './schema-words.ts';

export const tasksSchema = z
  .strictObject({
    minPoll: duration
      .prefault('500ms')
      .describe('The least time between two questions after a task that the gateway waits for.'),
    maxPoll: duration.prefault('30s').describe('The most, whatever its server says.'),
    maxWaiting: count
      .default(2000)
      .describe('Calls that wait for tasks at a time; the task of one beyond them is cancelled.'),
    maxWaitingPerPrincipal: count.default(20).describe('Such calls of one caller at a time.'),
    keep: duration
      .prefault('10m')
      .describe(
        'How long a session or a process is kept for a task in it, after the last time anybody asked after it.',
      ),
    maxKept: count.default(2000).describe('Such tasks at a time; the task of a call beyond them is cancelled.'),
    maxKeptPerPrincipal: count.default(20).describe('Such tasks of one caller at a time.'),
    lifetime: duration
      .prefault('1d')
      .describe('How long the id of a task can be used, whatever its server says of the task.'),
  })
  .prefault({})
  .refine(({ minPoll, maxPoll }) => minPoll <= maxPoll, { message: 'is above maxPoll.', path: ['minPoll'] })
  .describe('Tasks: calls that go on at their server after it has answered.');
