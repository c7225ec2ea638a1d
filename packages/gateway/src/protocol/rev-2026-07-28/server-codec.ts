/** We as the server of a 2026-07-28 client. */

import { isQuestion } from '../../model/elicitation.ts';
import type { Outcome } from '../../model/outcome.ts';
import { NEWEST_MODERN } from '../../model/revision.ts';
import { isForPerson, notCarried, toolErrorResult } from '../answers.ts';
import type { EncodeContext, EncodedAnswer, ServerCodec } from '../codec.ts';
import { encodeNotice } from '../notices.ts';
import { decode } from './requests.ts';
import { encodeComplete, encodeDiscovered, encodeListed, encodeQuestion } from './results.ts';
import { encodeTask } from './tasks.ts';
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
      return isQuestion(outcome) ? encodeQuestion(outcome, context) : encodeFailure(notCarried(outcome), context);
    case 'task':
      return encodeTask(outcome, context) ?? encodeFailure(notCarried(outcome), context);
    case 'failed': {
      const { failure } = outcome;
      const asResult = failure.code === 'invalid-arguments' || isForPerson(failure);
      if (!asResult || context.operation?.kind !== 'call-tool') return encodeFailure(failure, context);
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
