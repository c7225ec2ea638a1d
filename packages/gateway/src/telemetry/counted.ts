/**
 * Counters that are counted by hand and read when somebody collects: an update is a look-up and an addition, where the SDK's
 * own hashes its attributes every time.
 */

import type { Attributes, Meter } from '@opentelemetry/api';

import type { MetricDefinition } from './metric-names.ts';

/** Labels come from the configuration and from closed lists; should one of them not, it cannot fill the memory. */
const MAX_SERIES = 1000;
const OTHER = '_OTHER';

type Series = { readonly attributes: Attributes; value: number };

/** Adds to the series of these label values, in the order of the definition's attributes. */
export type Counted = (values: readonly string[], by?: number) => void;

/** `known` are series that exist, at zero, before anything happens: an alert on a counter that is absent never fires. */
export function counted(
  meter: Meter,
  definition: MetricDefinition,
  known: readonly (readonly string[])[] = [],
): Counted {
  const { name, kind, meaning: description, unit, attributes } = definition;
  const all = new Map<string, Series>();
  const find = (values: readonly string[]): Series => {
    const key = values.length === 1 ? (values[0] ?? '') : values.join('\0');
    const found = all.get(key);
    if (found !== undefined) return found;
    if (all.size >= MAX_SERIES && !values.every((value) => value === OTHER)) return find(values.map(() => OTHER));
    const labels = attributes.map((label, at): [string, string] => [label, values[at] ?? '']);
    const made = { attributes: Object.fromEntries(labels), value: 0 };
    all.set(key, made);
    return made;
  };
  for (const values of known) find(values);
  const options = unit === undefined ? { description } : { description, unit };
  const instrument =
    kind === 'counter' ? meter.createObservableCounter(name, options) : meter.createObservableGauge(name, options);
  instrument.addCallback((result) => {
    for (const series of all.values()) result.observe(series.value, series.attributes);
  });
  return (values, by = 1) => {
    find(values).value += by;
  };
}

/** A gauge with one series per server and state it was ever in: 1 for the present one, 0 for the others. */
export function stated(meter: Meter, { name, meaning }: MetricDefinition): (server: string, state: string) => void {
  const states = new Map<string, Map<string, number>>();
  meter.createObservableGauge(name, { description: meaning }).addCallback((result) => {
    for (const [server, ofServer] of states) {
      for (const [state, value] of ofServer) result.observe(value, { server, state });
    }
  });
  return (server, state) => {
    const ofServer = states.get(server) ?? new Map<string, number>();
    for (const other of ofServer.keys()) ofServer.set(other, 0);
    states.set(server, ofServer.set(state, 1));
  };
}

/** A gauge that has no labels and was set to its value. */
export function setting(meter: Meter, { name, meaning }: MetricDefinition): (value: number) => void {
  let present = 0;
  meter.createObservableGauge(name, { description: meaning }).addCallback((result) => result.observe(present));
  return (value) => {
    present = value;
  };
}
