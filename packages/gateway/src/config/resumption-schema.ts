/** Settings of `resumption`: what is kept for clients that lose their connection. Every description is read by operators. */

import * as z from 'zod';

import { count, duration, size } from './schema-words.ts';

export const resumptionSchema = z
  .strictObject({
    keep: duration.prefault('1m').describe('How long the end of a stream is kept for its client to come back.'),
    away: duration
      .prefault('15s')
      .describe('How long a question waits for a client that lost its connection before the call goes on without it.'),
    retry: duration.prefault('1s').describe('How long clients of 2025-11-25 are told to wait before they come back.'),
    maxStreamBytes: size.prefault('1MiB').describe('Kept of one stream; the oldest events go first.'),
    maxPrincipalBytes: size.prefault('8MiB').describe('Kept for one caller.'),
    maxBytes: size.prefault('128MiB').describe('Kept in all.'),
    maxStreams: count.default(10_000).describe('Streams of which something is kept. Others cannot be resumed.'),
  })
  .prefault({})
  .describe('What is kept of the event streams of calls, for clients before 2026-07-28 that lose their connection.');
