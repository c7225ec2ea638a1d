/** What tools return, in bytes and in tokens: one look-up for each result, two metrics when somebody collects. */

import type { Meter } from '@opentelemetry/api';

import { METRICS } from './metric-names.ts';

/** Nobody counts tokens at run time: for the tokenizers in use, text as tools return it has about so many bytes each. */
const BYTES_PER_TOKEN = 4.5;
const OTHER = '_OTHER';

export function measureResponses(
  meter: Meter,
  maxSeries: number,
): (server: string, tool: string, bytes: number) => void {
  const servers = new Map<string, Map<string, { bytes: number }>>();
  let series = 0;

  const find = (server: string, tool: string): { bytes: number } => {
    let tools = servers.get(server);
    if (tools === undefined) servers.set(server, (tools = new Map<string, { bytes: number }>()));
    const known = tools.get(tool);
    if (known !== undefined) return known;
    if (series >= maxSeries && tool !== OTHER) return find(server, OTHER);
    const made = { bytes: 0 };
    tools.set(tool, made);
    series += 1;
    return made;
  };

  const observe = ({ name, unit, meaning }: { name: string; unit?: string; meaning: string }, bytesEach: number) => {
    const options = unit === undefined ? { description: meaning } : { description: meaning, unit };
    meter.createObservableCounter(name, options).addCallback((result) => {
      for (const [server, tools] of servers) {
        for (const [tool, { bytes }] of tools) result.observe(Math.round(bytes / bytesEach), { server, tool });
      }
    });
  };
  observe(METRICS.responseSize, 1);
  observe(METRICS.responseTokens, BYTES_PER_TOKEN);
  return (server, tool, bytes) => {
    find(server, tool).bytes += bytes;
  };
}
