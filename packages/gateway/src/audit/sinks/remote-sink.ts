/**
 * A sink somewhere else: what every kind of delivery has in common. The position moves on after each request that was
 * acknowledged. A record that is refused for good is found by halving, set aside with the reason, and the rest goes on; a sink
 * that refuses everything is not a matter of records, and is waited for.
 */

import type { AuditSink, RejectedReport } from './audit-sink.ts';
import { DeliveryError } from './audit-sink.ts';
import type { FollowedRecord } from './followed-record.ts';
import type { BatchLimits } from './follower.ts';
import type { SetAside } from './set-aside.ts';
import { readPosition, savePosition } from './sink-position.ts';

/** What a sink that took a request says of some of the records in it. */
export type Accepted = { readonly rejected: number; readonly reason: string } | undefined;

export interface Delivery {
  /** One request. @throws DeliveryError */
  send(records: readonly FollowedRecord[], signal: AbortSignal): Promise<Accepted>;
}

export type RemoteSinkOptions = {
  readonly name: string;
  readonly limits: BatchLimits;
  readonly delivery: Delivery;
  readonly positionFile: string;
  readonly setAside: SetAside;
  readonly onRejected: RejectedReport;
};

/** So many refusals in a row without one acceptance are a sink's fault, or its configuration's. */
const MAX_REFUSED_IN_A_ROW = 32;

export function createRemoteSink(options: RemoteSinkOptions): AuditSink {
  const { name, limits, delivery, positionFile, setAside, onRejected } = options;
  let done = 0;
  let inARow = 0;

  const save = async (records: readonly FollowedRecord[]): Promise<void> => {
    const last = records.at(-1)?.position;
    if (last === undefined) return;
    await savePosition(positionFile, last);
    done = last.sequence;
  };

  const refuse = async (record: FollowedRecord, error: DeliveryError): Promise<void> => {
    if (inARow >= MAX_REFUSED_IN_A_ROW) {
      const message = `${error.message}. It refused ${inARow} records in a row, so the fault is not theirs`;
      throw new DeliveryError(message, { cause: error });
    }
    await setAside.record(record, error.message);
    inARow += 1;
    onRejected(1, error.message);
    await save([record]);
  };

  const deliver = async (records: readonly FollowedRecord[], signal: AbortSignal): Promise<void> => {
    const [first] = records;
    if (first === undefined) return;
    try {
      const accepted = await delivery.send(records, signal);
      if (accepted !== undefined) {
        await setAside.some(records, accepted);
        onRejected(accepted.rejected, 'it took a request, but not every record in it');
      }
    } catch (error) {
      if (!(error instanceof DeliveryError) || !error.refused) throw error;
      if (records.length === 1) return refuse(first, error);
      const half = Math.ceil(records.length / 2);
      await deliver(records.slice(0, half), signal);
      return deliver(records.slice(half), signal);
    }
    inARow = 0;
    await save(records);
  };

  return {
    name,
    limits,
    async position() {
      const position = await readPosition(positionFile);
      done = position?.sequence ?? 0;
      return position;
    },
    take(batch, signal) {
      // Given again after a failure, a batch may have gone in part.
      const [first] = batch.records;
      const again = first !== undefined && first.position.sequence <= done;
      return deliver(again ? batch.records.filter(({ position }) => position.sequence > done) : batch.records, signal);
    },
  };
}
