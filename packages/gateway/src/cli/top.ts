/** `sallyport top`: a running gateway, live, drawn anew every second; printed once where nobody looks on. */

import { setTimeout as pause } from 'node:timers/promises';

import type { CommandContext } from './command.ts';
import { CommandError } from './command.ts';
import { EXIT } from './exit-code.ts';
import type { ExitCode } from './exit-code.ts';
import { readLive } from './live-report.ts';
import { fetchLive, fetchStatus } from './operations.ts';
import type { Screen, Terminal } from './terminal.ts';
import { topFrame, type FrameFacts } from './top-frame.ts';

export type TopOptions = { readonly url: string; readonly once: boolean; readonly json: boolean };

const EVERY_MS = 1_000;

/** For one that is printed: as wide as its lines, as long as it is. */
const PAPER = { columns: 200, rows: 200 };

export async function top(
  { terminal }: CommandContext,
  { url, once, json }: TopOptions,
  signal: AbortSignal,
): Promise<ExitCode> {
  if (json) {
    terminal.out(JSON.stringify(await fetchLive(url), null, 2));
    return EXIT.done;
  }
  const { version, url: publicUrl, startedAtMs } = await fetchStatus(url);
  const known = { version, url: publicUrl, startedAtMs };
  const { screen } = terminal;
  if (once || screen === undefined) {
    const facts = { ...known, live: readLive(await fetchLive(url)) };
    const lines = topFrame(facts, PAPER, terminal);
    terminal.out(lines.join('\n').trimEnd());
    return EXIT.done;
  }
  await drawn(screen, async (redraw) => {
    let facts: FrameFacts | undefined;
    const stopWatching = screen.onResize(() => {
      if (facts !== undefined) redraw(topFrame(facts, screen.size(), terminal));
    });
    try {
      while (!signal.aborted) {
        const live = await liveOrReason(url);
        facts = typeof live === 'string' ? facts : { ...known, live };
        redraw(frameOf(facts, live, screen, terminal));
        await pause(EVERY_MS, undefined, { signal }).catch(() => undefined);
      }
    } finally {
      stopWatching();
    }
  });
  return EXIT.done;
}

/** A gateway that restarts is looked for again; meanwhile the last frame stays, and says so. */
async function liveOrReason(url: string): Promise<FrameFacts['live'] | string> {
  try {
    return readLive(await fetchLive(url));
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    throw error;
  }
}

function frameOf(
  facts: FrameFacts | undefined,
  live: FrameFacts['live'] | string,
  screen: Screen,
  terminal: Terminal,
): readonly string[] {
  const lines = facts === undefined ? [] : topFrame(facts, screen.size(), terminal);
  return typeof live === 'string' ? [terminal.red(live.slice(0, screen.size().columns)), ...lines.slice(1)] : lines;
}

const ESC = '\u001B[';
/** A screen of its own, which leaves what was there; and no cursor that jumps. */
const ENTER = `${ESC}?1049h${ESC}?25l`;
const LEAVE = `${ESC}?25h${ESC}?1049l`;
/** A terminal that knows it shows a frame only when it is whole. */
const FRAME_START = `${ESC}?2026h${ESC}H`;
const FRAME_END = `${ESC}J${ESC}?2026l`;

/** Gives the screen back however it ends. Lines are overwritten and not cleared first: nothing flickers. */
async function drawn(
  screen: Screen,
  run: (redraw: (lines: readonly string[]) => void) => Promise<void>,
): Promise<void> {
  screen.write(ENTER);
  try {
    await run((lines) => {
      const { rows } = screen.size();
      const text = lines.slice(0, rows).map((line) => `${line}${ESC}K`);
      screen.write(FRAME_START + text.join('\r\n') + FRAME_END);
    });
  } finally {
    screen.write(LEAVE);
  }
}
