/** `sallyport connect <url>`: for a client that only starts programs and speaks to them over standard input and output. */

import { homedir } from 'node:os';
import type { Readable, Writable } from 'node:stream';

import { createEgress } from '../../egress/egress.ts';
import { createLineSplitter } from '../../upstream/stdio/line-splitter.ts';
import { CommandError, TYPED, type CommandContext } from '../command.ts';
import { EXIT, type ExitCode } from '../exit-code.ts';
import { asPerson, logOut, withKey } from './authorization.ts';
import { Bridge } from './bridge.ts';
import { createSend } from './http.ts';
import { MAX_MESSAGE_BYTES } from './messages.ts';
import { openBrowser } from './open-browser.ts';
import { stateFolder, TokenFile } from './token-file.ts';

export type ConnectOptions = {
  readonly url: string;
  readonly clientId?: string;
  /** False: the address is only printed. */
  readonly browser: boolean;
  readonly logOut: boolean;
};

export type Streams = { readonly input: Readable; readonly output: Writable };

/** Ends when the client closes its end. */
export async function connect(context: CommandContext, options: ConnectOptions, streams: Streams): Promise<ExitCode> {
  const { terminal, env } = context;
  const endpoint = endpointOf(options.url);
  const egress = createEgress();
  const say = (text: string): void => terminal.err(`sallyport: ${text}`);
  const file = new TokenFile(stateFolder(env, process.platform, homedir()), endpoint.href);
  try {
    if (options.logOut) {
      const was = await logOut(egress, file, say);
      say(was ? `logged out of ${endpoint.href}` : `nobody was logged in at ${endpoint.href}`);
      return EXIT.done;
    }
    const key = env['SALLYPORT_KEY'];
    const show = (url: string): void => {
      say(`log in to go on: ${url}`);
      if (options.browser) openBrowser(url);
    };
    const gone = new AbortController();
    const authorization =
      key === undefined || key === ''
        ? await asPerson({ egress, endpoint, file, clientId: options.clientId, signal: gone.signal, show, say })
        : withKey(key);
    const write = writerTo(streams.output);
    const bridge = new Bridge({ send: createSend(egress, endpoint), authorization, write, say });
    await pump(streams, bridge);
    gone.abort();
    await bridge.close();
    return EXIT.done;
  } finally {
    await egress.close();
  }
}

/** `http://host` is the endpoint for all servers. @throws CommandError */
function endpointOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') {
    const hint = `Name an MCP endpoint, for example: ${TYPED} connect http://127.0.0.1:8080/mcp`;
    throw new CommandError(`"${text}" is not the address of an endpoint.`, EXIT.usage, hint);
  }
  if (url.pathname === '/') url.pathname = '/mcp';
  return url;
}

/** One line after another; the promise is there while the reader does not keep up. */
function writerTo(output: Writable): (text: string) => Promise<void> | void {
  return (text) => {
    if (output.destroyed || output.write(`${text}\n`)) return undefined;
    return new Promise((resolve) => {
      const go = (): void => {
        output.off('drain', go).off('close', go);
        resolve();
      };
      output.once('drain', go).once('close', go);
    });
  };
}

/** Until the client closes its end, or can no longer be written to. */
async function pump({ input, output }: Streams, bridge: Bridge): Promise<void> {
  const lines: string[] = [];
  const splitter = createLineSplitter({
    maxLineBytes: MAX_MESSAGE_BYTES,
    edgeBytes: 64,
    onLine: (line) => lines.push(Buffer.from(line.buffer, line.byteOffset, line.length).toString('utf8')),
    // Too long to be looked at: what it was cannot be told, and neither whom to answer.
    onOversized: () => lines.push(''),
  });
  const gone = (): void => void input.destroy();
  output.once('close', gone).once('error', gone);
  try {
    for await (const chunk of input) {
      if (chunk instanceof Uint8Array) splitter.push(chunk);
      for (const line of lines.splice(0)) await bridge.receive(line);
    }
  } catch (error) {
    if (!input.destroyed) throw error;
  }
}
