/** Records over plain HTTP, as collectors and SIEMs take them. The lines go as they stand in the file. */

import type { Egress } from '../../egress/egress.ts';
import { encodeBatch, type BatchText } from './encode-batch.ts';
import type { FollowedRecord } from './followed-record.ts';
import { postTo, type HttpTarget } from './http-post.ts';
import type { Delivery } from './remote-sink.ts';

export type HttpFormat = 'ndjson' | 'json-array' | 'splunk-hec';

const whole = ({ line }: FollowedRecord): string => line;

const FORMATS: Readonly<Record<HttpFormat, BatchText & { readonly contentType: string }>> = {
  ndjson: { contentType: 'application/x-ndjson', before: '', each: whole, between: '\n', after: '\n' },
  'json-array': { contentType: 'application/json', before: '[', each: whole, between: ',', after: ']' },
  // Events stand one behind the other; the time is in seconds.
  'splunk-hec': {
    contentType: 'application/json',
    before: '',
    each: ({ line, timeMs }) => `{"time":${(timeMs / 1000).toFixed(3)},${SPLUNK_WORDS},"event":${line}}`,
    between: '\n',
    after: '',
  },
};

const SPLUNK_WORDS = '"source":"sallyport","sourcetype":"sallyport:audit"';

export function createHttpDelivery(egress: Egress, target: HttpTarget, format: HttpFormat): Delivery {
  const { contentType, ...text } = FORMATS[format];
  return {
    async send(records, signal) {
      const body = await encodeBatch(records, text);
      const headers = [['idempotency-key', idempotencyKey(records)]] as const;
      await postTo(egress, target, { contentType, body, headers }, signal);
      return undefined;
    },
  };
}

/** The same records in the same grouping have the same key: who keeps the newest ones knows a delivery that came twice. */
export function idempotencyKey(records: readonly FollowedRecord[]): string {
  return `${records[0]?.position.uid ?? ''}..${records.at(-1)?.position.uid ?? ''}`;
}
