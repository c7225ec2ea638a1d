import { describe, expect, it } from 'vitest';

import { contextOfMeta, parseTraceContext, traceparentOf } from './trace-context.ts';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const SPAN = '00f067aa0ba902b7';

describe('traceparent', () => {
  it('is read, and written again as it was', () => {
    const context = parseTraceContext(`00-${TRACE}-${SPAN}-01`);
    expect(context).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true });
    expect(context && traceparentOf(context)).toBe(`00-${TRACE}-${SPAN}-01`);
    expect(parseTraceContext(`00-${TRACE}-${SPAN}-00`)?.sampled).toBe(false);
  });

  it('of a later version is read as far as we know it, and unknown flags are not passed on', () => {
    const context = parseTraceContext(`cc-${TRACE}-${SPAN}-ff-what-comes-after`);
    expect(context && traceparentOf(context)).toBe(`00-${TRACE}-${SPAN}-01`);
  });

  it.each([
    ['no string', 7],
    ['nothing', ''],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${SPAN}-01`],
    ['a span id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['the forbidden version', `ff-${TRACE}-${SPAN}-01`],
    ['capitals', `00-${TRACE.toUpperCase()}-${SPAN}-01`],
    ['version 00 with more after it', `00-${TRACE}-${SPAN}-01-more`],
    ['a line break after it', `00-${TRACE}-${SPAN}-01\n`],
    ['text before it', ` 00-${TRACE}-${SPAN}-01`],
    ['a later version without a dash', `cc-${TRACE}-${SPAN}-01more`],
    ['more than anyone has to read', `cc-${TRACE}-${SPAN}-01-${'a'.repeat(300)}`],
  ])('that is %s counts as absent', (_, text) => {
    expect(parseTraceContext(text)).toBeUndefined();
  });
});

describe('tracestate', () => {
  const stateOf = (text: unknown): string | undefined => parseTraceContext(`00-${TRACE}-${SPAN}-01`, text)?.state;

  it('is passed on, with empty members and spaces between them left out', () => {
    expect(stateOf('rojo=00f067aa0ba902b7, congo=t61rcWkgMzE,,a-b/c@vendor=x y')).toBe(
      'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,a-b/c@vendor=x y',
    );
  });

  it.each([
    ['no string', {}],
    ['empty', ' , '],
    ['too long', `a=${'x'.repeat(520)}`],
    ['too many', Array.from({ length: 33 }, (_, at) => `k${at}=v`).join(',')],
    ['no member', 'novalue'],
    ['a header of its own', 'a=b\r\nx-evil: 1'],
    ['a member without a key', '=v'],
  ])('that is %s is left out, and the trace goes on', (_, text) => {
    expect(stateOf(text)).toBeUndefined();
    expect(parseTraceContext(`00-${TRACE}-${SPAN}-01`, text)?.traceId).toBe(TRACE);
  });

  it('without a traceparent means nothing', () => {
    expect(contextOfMeta({ tracestate: 'a=b' })).toBeUndefined();
    expect(contextOfMeta({ traceparent: `00-${TRACE}-${SPAN}-01`, tracestate: 'a=b' })?.state).toBe('a=b');
  });
});
