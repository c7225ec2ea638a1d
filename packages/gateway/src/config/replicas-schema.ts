/** Settings of `replicas`: the other gateways behind the same address. Every description is read by operators. */

import * as z from 'zod';

const MAX_REPLICAS = 32;
const replicaName = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/);
const origin = z.url({ protocol: /^https?$/ }).refine((text) => new URL(text).origin === text.replace(/\/$/, ''), {
  message: 'is an address without a path: http://10.0.0.8:8080.',
});

export const replicasSchema = z
  .strictObject({
    self: replicaName.describe('The name of this one.'),
    peers: z
      .record(replicaName, origin)
      .refine((peers) => Object.keys(peers).length <= MAX_REPLICAS, { message: `are at most ${MAX_REPLICAS}.` })
      .default({})
      .describe('Name and address of each replica; this one may be among them. They share a key ring.'),
  })
  .optional()
  .describe(
    'The replicas behind one address. Answers to a question, and cancellations, that reach another replica than the one ' +
      'that has the call are passed on to it. Callers’ credentials go with them: HTTPS, or a network of your own.',
  );
