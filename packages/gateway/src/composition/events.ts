/** What happens beside calls, on its way to the record: bounded where strangers cause it. */

import { createBoundedEvents, type BoundedEvents } from '../audit/bounded-events.ts';
import { addressKey } from '../quota/address-key.ts';
import { systemClock } from '../upstream/clock.ts';

export const composeEvents = (): BoundedEvents =>
  createBoundedEvents({
    now: Date.now,
    after: (delayMs, task) => systemClock.after(delayMs, task),
    networkOf: addressKey,
  });
