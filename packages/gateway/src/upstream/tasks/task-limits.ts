/** Every bound of tasks in one place, with its default. */

import type { HeldTaskLimits } from './held-tasks.ts';
import type { TaskWaitLimits } from './task-waits.ts';
import type { PollLimits } from './wait-for-task.ts';

export type TaskLimits = PollLimits & HeldTaskLimits & Omit<TaskWaitLimits, 'answerMs'>;

export const DEFAULT_TASKS: TaskLimits = {
  minPollMs: 500,
  maxPollMs: 30_000,
  maxWaiting: 2_000,
  maxWaitingPerPrincipal: 20,
  keepMs: 600_000,
  maxHeld: 2_000,
  maxHeldPerPrincipal: 20,
};
