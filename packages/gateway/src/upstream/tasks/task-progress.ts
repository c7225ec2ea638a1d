/** What a task says of itself while somebody waits for its call, as progress: it must not go backwards. */

import type { LogLevel } from '../../model/log-level.ts';
import type { ClientChannel, Notice } from '../../model/outcome.ts';
import type { ServerTask } from './server-task.ts';

/** The caller's channel; remembers how far the call was said to be, because a server may tell so before it makes a task. */
export class TaskProgress implements ClientChannel {
  readonly wantsProgress = true;
  readonly logLevel?: LogLevel;
  readonly #channel: ClientChannel;
  #reached: number;
  #said: string | undefined;

  constructor(channel: ClientChannel, reached: number) {
    this.#channel = channel;
    this.#reached = reached;
    if (channel.logLevel !== undefined) this.logLevel = channel.logLevel;
  }

  get reached(): number {
    return this.#reached;
  }

  notify(notice: Notice): Promise<void> | undefined {
    if (notice.kind === 'progress' && typeof notice.params['progress'] === 'number') {
      this.#reached = Math.max(this.#reached, notice.params['progress']);
    }
    return this.#channel.notify(notice);
  }

  /** A client that reads slowly misses some: the task is not held up by it. */
  tell({ statusMessage }: ServerTask): void {
    if (statusMessage === undefined || statusMessage === this.#said) return;
    this.#said = statusMessage;
    this.#reached += 1;
    void this.#channel.notify({ kind: 'progress', params: { progress: this.#reached, message: statusMessage } });
  }
}
