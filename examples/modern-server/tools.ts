/** The tools: each one exact, small and without side effects. */

import type { McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';

import { convert, UNIT_NAMES } from './units.ts';

const READS_ONLY = { readOnlyHint: true, idempotentHint: true, openWorldHint: false };
const MS_PER_DAY = 86_400_000;

const answer = (text: string, structuredContent: Record<string, string | number>) => ({
  content: [{ type: 'text' as const, text }],
  structuredContent,
});

export function registerTools(server: McpServer): void {
  registerUnits(server);
  registerDates(server);
  registerTexts(server);
}

function registerUnits(server: McpServer): void {
  server.registerTool(
    'convert_units',
    {
      title: 'Convert units',
      description: 'Converts a value between units of length, mass, volume, time or temperature. Exact to 12 digits.',
      inputSchema: z.object({
        value: z.number().describe('The number to convert'),
        from: z.enum(UNIT_NAMES).describe('Its unit'),
        to: z.enum(UNIT_NAMES).describe('The unit wanted, of the same quantity'),
      }),
      annotations: READS_ONLY,
    },
    ({ value, from, to }) => {
      const result = convert(value, from, to);
      return answer(`${value} ${from} = ${result} ${to}`, { value: result, unit: to });
    },
  );
}

function registerDates(server: McpServer): void {
  server.registerTool(
    'days_between',
    {
      title: 'Days between two dates',
      description:
        'Counts calendar days from one date to another, leap years included. Negative when the second is earlier.',
      inputSchema: z.object({
        from: z.iso.date().describe('The first day, as 2026-01-31'),
        to: z.iso.date().describe('The second day, as 2026-12-24'),
      }),
      annotations: READS_ONLY,
    },
    ({ from, to }) => {
      const days = Math.round((Date.parse(to) - Date.parse(from)) / MS_PER_DAY);
      return answer(`${days} days from ${from} to ${to}`, { days });
    },
  );
  server.registerTool(
    'weekday',
    {
      title: 'Day of the week',
      description: 'Names the day of the week of a date, and its ISO week number.',
      inputSchema: z.object({ date: z.iso.date().describe('The day, as 2026-01-31') }),
      annotations: READS_ONLY,
    },
    ({ date }) => {
      const weekday = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' }).format(Date.parse(date));
      const week = isoWeek(date);
      return answer(`${date} is a ${weekday}, in week ${week}`, { weekday, week });
    },
  );
}

/** The week of the year's first Thursday is week 1 (ISO 8601), so a date counts with the Thursday of its week. */
function isoWeek(date: string): number {
  const time = Date.parse(date);
  const daysSinceMonday = (new Date(time).getUTCDay() + 6) % 7;
  const thursday = new Date(time + (3 - daysSinceMonday) * MS_PER_DAY);
  return Math.floor((thursday.getTime() - Date.UTC(thursday.getUTCFullYear(), 0, 1)) / MS_PER_DAY / 7) + 1;
}

function registerTexts(server: McpServer): void {
  server.registerTool(
    'text_statistics',
    {
      title: 'Text statistics',
      description:
        'Counts characters, words, sentences and lines of a text, and estimates the minutes to read it aloud.',
      inputSchema: z.object({ text: z.string().max(200_000).describe('The text to count') }),
      annotations: READS_ONLY,
    },
    ({ text }) => {
      const words = segments(text, 'word');
      const statistics = {
        characters: segments(text, 'grapheme'),
        words,
        sentences: segments(text, 'sentence'),
        lines: text === '' ? 0 : text.split('\n').length,
        minutesAloud: Number((words / 130).toFixed(1)),
      };
      const line = Object.entries(statistics).map(([name, count]) => `${name} ${count}`);
      return answer(line.join(', '), statistics);
    },
  );
}

function segments(text: string, granularity: 'grapheme' | 'word' | 'sentence'): number {
  const found = [...new Intl.Segmenter('en', { granularity }).segment(text)];
  return granularity === 'word' ? found.filter((segment) => segment.isWordLike).length : found.length;
}
