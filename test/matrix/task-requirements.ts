/**
 * What must be true of tasks in every cell, as data: each requirement cites the page that it comes from, and runs against
 * servers of both eras and transports, on both kinds of endpoint. One list is for clients that take tasks, of which there is one kind (the
 * official SDKs have none), and one for all others.
 */

import { expect } from 'vitest';

import type { AskedClient } from '../harness/asked-clients.ts';
import { TASKS, type TaskClient } from '../harness/task-client.ts';
import { until } from '../harness/until.ts';

export type TaskServer = {
  /** The extension of 2026-07-28, or the tasks of 2025-11-25. */
  readonly era: 'modern' | 'legacy';
  /** What clients of this endpoint call a tool of the server. */
  readonly name: (tool: string) => string;
};

export type TaskRequirement<Client> = {
  readonly title: string;
  readonly cites: string;
  readonly check: (client: Client, server: TaskServer) => Promise<void>;
};

type Call = readonly [tool: string, args: Record<string, unknown>];

/** Computes for so long, in either fixture's words. */
export const computing = ({ era, name }: TaskServer, label: string, ms = 0): Call =>
  era === 'modern' ? [name('slow_compute'), { seconds: ms / 1000, label }] : [name('compute'), { ms, label }];

const failing = ({ era, name }: TaskServer): string => name(era === 'modern' ? 'failing_job' : 'fail');

/** Asks twice: at once, or one after the other. */
const inquiring = ({ era, name }: TaskServer): string => name(era === 'modern' ? 'multi_input' : 'greet');
const inquired = ({ era }: TaskServer): string => (era === 'modern' ? 'Ada, yes' : 'Ada of Aachen');

export const SAID: Readonly<Record<string, string>> = { name: 'Ada', confirm: 'yes', city: 'Aachen' };

export const textOf = (result: unknown): string | undefined =>
  (result as { content?: readonly { text?: string }[] } | undefined)?.content?.[0]?.text;

type AskedForm = { readonly params: { readonly requestedSchema: { readonly properties: Record<string, unknown> } } };

async function answerUntilDone(own: TaskClient, taskId: string): Promise<Record<string, unknown>> {
  return until('the task to have ended', async () => {
    const { result, error } = await own.get(taskId);
    if (error !== undefined) throw new Error(JSON.stringify(error));
    for (const [key, request] of Object.entries((result.inputRequests ?? {}) as Record<string, AskedForm>)) {
      const [field = ''] = Object.keys(request.params.requestedSchema.properties);
      const answer = { action: 'accept', content: { [field]: SAID[field] } };
      const told = await own.request('tasks/update', { taskId, inputResponses: { [key]: answer } });
      expect(told.result).toMatchObject({ resultType: 'complete' });
    }
    return result.status === 'completed' ? result : undefined;
  });
}

export const FOR_WHO_TAKES_TASKS: readonly TaskRequirement<TaskClient>[] = [
  {
    title: 'it is told that there are tasks, in the words of the extension alone',
    cites: 'tasks extension, Capability Negotiation',
    async check(own) {
      const { result } = await own.request('server/discover');
      expect(result.capabilities).toMatchObject({ extensions: { [TASKS]: {} } });
      expect(result.capabilities).not.toHaveProperty('tasks');
      expect(JSON.stringify((await own.request('tools/list')).result)).not.toContain('taskSupport');
    },
  },
  {
    title: 'it is given the task under an id of the gateway, and its result in the task',
    cites: 'tasks extension, Task Creation; Task Polling',
    async check(own, server) {
      const { result } = await own.call(...computing(server, 'one'));
      expect(result).toMatchObject({ resultType: 'task', ttlMs: expect.any(Number), pollIntervalMs: 50 });
      expect(result).not.toHaveProperty('ttl');
      const taskId = String(result.taskId);
      expect(taskId).not.toMatch(/^[0-9a-f-]{32,36}$/u);
      const finished = await own.whenIt('completed', taskId);
      expect(finished).toMatchObject({ resultType: 'complete', taskId });
      expect(textOf(finished.result)).toBe('computed one');
      expect(JSON.stringify(finished)).not.toContain('related-task');
      // Once more: a client may have lost the answer.
      expect((await own.get(taskId)).result.status).toBe('completed');
    },
  },
  {
    title: 'a tool that ran and failed has completed its task',
    cites: 'tasks extension, Task Execution Errors',
    async check(own, server) {
      const finished = await own.whenIt('completed', await own.begin(failing(server)));
      expect(finished.result).toMatchObject({ isError: true });
    },
  },
  {
    title: 'it answers what the task asks, in as many rounds as it takes',
    cites: 'tasks extension, Task Update Requests; 2025-11-25, tasks, Input Required Status',
    async check(own, server) {
      const finished = await answerUntilDone(own, await own.begin(inquiring(server)));
      expect(textOf(finished.result)).toBe(inquired(server));
    },
  },
  {
    title: 'it cancels the task, as often as it likes',
    cites: 'tasks extension, Task Cancellation',
    async check(own, server) {
      const taskId = await own.begin(...computing(server, 'never', 60_000));
      for (let time = 0; time < 2; time += 1) {
        const { result, error } = await own.request('tasks/cancel', { taskId });
        expect(error).toBeUndefined();
        expect(result).toMatchObject({ resultType: 'complete' });
        expect(result).not.toHaveProperty('taskId');
      }
      await own.whenIt('cancelled', taskId);
    },
  },
];

export const FOR_ALL_OTHERS: readonly TaskRequirement<AskedClient>[] = [
  {
    title: 'it gets the result of the call',
    cites: 'tasks extension, Capability Negotiation; 2025-11-25, tasks, Tool-Level Negotiation',
    async check(own, server) {
      const result = await own.call(...computing(server, 'waited', 100));
      expect(result).toEqual({ text: 'computed waited', isError: false });
    },
  },
  {
    title: 'it gets the result of a tool that ran and failed',
    cites: 'tasks extension, Task Execution Errors',
    async check(own, server) {
      expect(await own.call(failing(server), {})).toEqual({ text: 'It did not work.', isError: true });
    },
  },
  {
    title: 'it is asked what the task asks',
    cites: 'tasks extension, Security Considerations: input requests as any other',
    async check(own, server) {
      expect(await own.call(inquiring(server), {})).toEqual({ text: inquired(server), isError: false });
    },
  },
];
