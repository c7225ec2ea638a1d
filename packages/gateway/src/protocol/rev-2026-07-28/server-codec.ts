/** We as the server of a 2026-07-28 client. */

import type { Outcome } from '../../model/outcome.ts';
import { NEWEST_MODERN } from '../../model/revision.ts';
import { notCarried, toolErrorResult } from '../answers.ts';
import type { EncodeContext, EncodedAnswer, ServerCodec } from '../codec.ts';
import { encodeNotice } from '../notices.ts';
import { decode } from './requests.ts';
import { encodeComplete, encodeDiscovered, encodeListed } from './results.ts';
import { encodeFailure } from './wire-failures.ts';

function encode(outcome: Outcome, context: EncodeContext): EncodedAnswer {
  switch (outcome.kind) {
    case 'complete':
      return encodeComplete(outcome.result, context);
    case 'listed':
      return encodeListed(outcome.page, context);
    case 'discovered':
      return encodeDiscovered(outcome.discovery, context);
    case 'input-required':
    case 'task':
      return encodeFailure(notCarried(outcome), context);
    case 'failed': {
      const { failure } = outcome;
      if (failure.code !== 'invalid-arguments' || context.operation?.kind !== 'call-tool') {
        return encodeFailure(failure, context);
      }
      return encodeComplete({ kind: 'value', value: toolErrorResult(failure) }, context);
    }
  }
}

export const serverCodec: ServerCodec = {
  era: 'modern',
  revision: NEWEST_MODERN,
  decode,
  encode,
  encodeFailure,
  encodeNotice,
};
