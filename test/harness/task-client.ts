/** A client that takes tasks, in raw requests: none of the official SDKs has the extension. */

import { bearer, modern, send, type HttpAnswer } from './http.ts';
import { until } from './until.ts';

export const TASKS = 'io.modelcontextprotocol/tasks';

export type Answer = {
  readonly status: number;
  readonly result: Record<string, unknown>;
  readonly error:
    | { readonly code: number; readonly message: string; readonly data?: Record<string, unknown> }
    | undefined;
};

export type TaskClient = {
  request(method: string, params?: Record<string, unknown>, name?: string): Promise<Answer>;
  call(tool: string, args?: Record<string, unknown>, more?: Record<string, unknown>): Promise<Answer>;
  /** Calls a tool that becomes a task, and returns the task's id. */
  begin(tool: string, args?: Record<string, unknown>): Promise<string>;
  get(taskId: string): Promise<Answer>;
  /** Asks until the task is in this state. */
  whenIt(is: string, taskId: string): Promise<Record<string, unknown>>;
};

export type TaskClientOptions = {
  readonly url: string;
  readonly key: string;
  /** Default: the tasks extension, and forms. */
  readonly capabilities?: Record<string, unknown>;
};

const TAKES_TASKS = { elicitation: { form: {} }, extensions: { [TASKS]: {} } };

const answerOf = ({ status, json }: HttpAnswer): Answer => ({ status, result: json?.result ?? {}, error: json?.error });

export function taskClient({ url, key, capabilities = TAKES_TASKS }: TaskClientOptions): TaskClient {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': capabilities,
  };
  const client: TaskClient = {
    async request(method, params = {}, name) {
      const { headers, body } = modern(method, { ...params, _meta });
      const named = name ?? params.taskId;
      const own = typeof named === 'string' ? { 'mcp-name': named } : {};
      return answerOf(await send(url, { headers: { ...headers, ...own, ...bearer(key) }, body }));
    },
    call: (tool, args = {}, more = {}) => client.request('tools/call', { name: tool, arguments: args, ...more }, tool),
    async begin(tool, args = {}) {
      const { result, error } = await client.call(tool, args);
      if (result.resultType !== 'task') throw new Error(`no task: ${JSON.stringify(error ?? result)}`);
      return String(result.taskId);
    },
    get: (taskId) => client.request('tasks/get', { taskId }),
    whenIt: (is, taskId) =>
      until(`the task to be ${is}`, async () => {
        const { result, error } = await client.get(taskId);
        if (error !== undefined) throw new Error(JSON.stringify(error));
        return result.status === is ? result : undefined;
      }),
  };
  return client;
}
