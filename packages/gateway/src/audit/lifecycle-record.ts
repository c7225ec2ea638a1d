/** What a writer says of itself: OCSF Application Lifecycle (class 6002). */

import { asciiJson } from './ascii-json.ts';
import type { Position, RecordContext, RecordText } from './record.ts';
import { place } from './record-parts.ts';

/** `facts` are the writer's own words, small and free of secrets. */
export type LifecycleEvent = {
  readonly event: 'opened' | 'closed' | 'overflow' | 'replaced' | 'retired';
  readonly timeMs: number;
  readonly facts: Readonly<Record<string, string | number>>;
};

/** OCSF Application Lifecycle, `activity_id`. */
const LIFECYCLE_ACTIVITY = { opened: 3, closed: 4, overflow: 99, replaced: 99, retired: 99 } as const;
const LIFECYCLE_SEVERITY = { opened: 1, closed: 1, overflow: 4, replaced: 4, retired: 1 } as const;

/**
 * The start or stop of a writer, how many records it could not hold while its disk refused them, that its file was taken
 * away under it, or which old files it deleted.
 */
export function lifecycleRecord(event: LifecycleEvent, at: Position, context: RecordContext): RecordText {
  const activity = LIFECYCLE_ACTIVITY[event.event];
  return [
    `{"class_uid":6002,"category_uid":6,"activity_id":${activity},"type_uid":${600_200 + activity}`,
    `,"severity_id":${LIFECYCLE_SEVERITY[event.event]},"time":${Math.round(event.timeMs)}`,
    `,"app":${asciiJson({ name: 'Sallyport', version: context.version })}${context.metadata}`,
    place(at, undefined, undefined),
    `,"unmapped":${asciiJson({ event: event.event, ...event.facts })}`,
  ];
}
