/** Where the operator wants it, the record proves which result was passed on. */

import { createHash } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { RESULT_DIGESTS } from '../audit/result-digest.ts';
import type { Outcome, UpstreamMessage } from '../model/outcome.ts';
import { responseText, upstreamMessage } from '../protocol/fixtures.ts';
import { callTool, worldOf, type World } from './pipeline.fixture.ts';

const RESULT = { resultType: 'complete', content: [{ type: 'text', text: 'x'.repeat(300) }] };
const TEXT = responseText(RESULT);
/** From the result's first byte to the end of the message. */
const TO_END = TEXT.slice(TEXT.indexOf('{', 1));
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const answering = (message: UpstreamMessage, wanted = true): World => {
  const outcome: Outcome = { kind: 'complete', result: { kind: 'message', message } };
  return worldOf({ send: () => Promise.resolve(outcome), ...(wanted ? { resultDigests: RESULT_DIGESTS } : {}) });
};

describe('the digest of a result', () => {
  it('is of the bytes that the server wrote', async () => {
    const world = answering(upstreamMessage(TEXT, 'modern'));
    await world.handle(callTool('read'));
    expect(world.events).toMatchObject([{ resultDigest: `sha256:${sha256(TO_END.slice(0, -1))}` }]);
  });

  it('is of everything to the end of the message where it was streamed, and says so', async () => {
    const world = answering(upstreamMessage(TEXT, 'modern', 60));
    const { outcome } = await world.handle(callTool('read'));
    if (outcome.kind !== 'complete' || outcome.result.kind !== 'message') throw new Error('no message');
    for await (const piece of outcome.result.message.rest ?? []) expect(piece.length).toBeGreaterThan(0);
    expect(world.events).toMatchObject([{ resultDigest: `sha256-to-end:${sha256(TO_END)}` }]);
  });

  it('is not there of a result that broke off, nor where nobody wants it', async () => {
    const cut = answering(upstreamMessage(TEXT, 'modern', 60));
    const { outcome } = await cut.handle(callTool('read'));
    if (outcome.kind !== 'complete' || outcome.result.kind !== 'message') throw new Error('no message');
    for await (const _ of outcome.result.message.rest ?? []) break;
    expect(cut.events[0]).not.toHaveProperty('resultDigest');
    const unwanted = answering(upstreamMessage(TEXT, 'modern'), false);
    await unwanted.handle(callTool('read'));
    expect(unwanted.events[0]).not.toHaveProperty('resultDigest');
  });
});
