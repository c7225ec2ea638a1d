/** The moment at which a call becomes a task: what it takes to find it again, and who keeps its session or process alive. */

import type { Call } from '../../model/call.ts';
import type { JsonObject } from '../../model/json.ts';
import type { ClientChannel, Outcome } from '../../model/outcome.ts';
import type { TaskRef } from '../../model/task.ts';
import { capabilityProfile } from '../capability-profile.ts';
import { HeldTasks, type UpstreamHold } from './held-tasks.ts';
import type { StepCall } from './legacy-task.ts';
import { readTask } from './server-task.ts';

const SILENT: ClientChannel = { wantsProgress: false, notify: () => undefined };
const CANCEL_MS = 5_000;

/** The outcome to go on with. The hold is kept, or given back. */
export function beginTask(call: Call, fields: JsonObject, hold: UpstreamHold, heldTasks: HeldTasks): Outcome {
  const { upstream, release } = hold;
  const task = readTask(fields);
  if (!task.ok) {
    release();
    return { kind: 'failed', failure: task.error };
  }
  const { server, name: tool } = call.entry;
  const ref: TaskRef = { server: server.id, version: server.version, tool, id: task.value.id, era: upstream.era };
  if (!HeldTasks.livesIn(upstream)) {
    release();
    return { kind: 'task', task: fields, ref };
  }
  const profile = upstream.era === 'legacy' ? { profile: capabilityProfile(call.client).capabilities } : {};
  const held = heldTasks.begin(call, hold);
  if (typeof held === 'string') return { kind: 'task', task: fields, ref: { ...ref, ...profile, held } };
  void cancel(hold, call, ref);
  return { kind: 'failed', failure: held };
}

/** Nobody will ask for it; its server may be gone as well. */
async function cancel({ upstream, release }: UpstreamHold, call: Call, ref: TaskRef): Promise<void> {
  try {
    const signal = AbortSignal.timeout(CANCEL_MS);
    const step = { kind: 'task-step', verb: 'cancel', ref } as const;
    await upstream.send({ ...call, step }, { channel: SILENT, signal, timeoutMs: CANCEL_MS });
  } finally {
    release();
  }
}

export const isStep = (call: Call): call is StepCall => call.step !== undefined;
