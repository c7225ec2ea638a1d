/** Writes what a client listens to onto its stream, as fast as the client reads and no faster. */

import type { Change } from '../model/subscription.ts';
import type { Listening } from '../pipeline/listening.ts';
import type { Instruments } from '../telemetry/instruments.ts';
import type { SessionStream } from './session-stream.ts';

type Telling = {
  readonly listening: Listening;
  readonly stream: Pick<SessionStream, 'send' | 'end'>;
  readonly text: (change: Change) => string;
  readonly instruments: Pick<Instruments, 'changeTold'>;
};

export function tellChanges({ listening, stream, text, instruments }: Telling): void {
  let isWriting = false;
  const write = async (): Promise<void> => {
    if (isWriting) return;
    isWriting = true;
    for (let change = listening.take(); change !== undefined; change = listening.take()) {
      instruments.changeTold(change.kind === 'list-changed' ? change.of : 'resource');
      const taken = stream.send(text(change));
      // What comes meanwhile waits in `listening`, each change once.
      if (taken !== undefined) await taken;
    }
    isWriting = false;
  };
  listening.start({ ready: () => void write(), ended: () => stream.end() });
}
