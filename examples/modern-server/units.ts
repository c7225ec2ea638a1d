/** Units of one quantity each, as a factor (and for temperatures an offset) to the quantity's base unit. */

type Unit = { readonly quantity: string; readonly factor: number; readonly offset?: number };

const UNITS: Readonly<Record<string, Unit>> = {
  mm: { quantity: 'length', factor: 0.001 },
  cm: { quantity: 'length', factor: 0.01 },
  m: { quantity: 'length', factor: 1 },
  km: { quantity: 'length', factor: 1000 },
  in: { quantity: 'length', factor: 0.0254 },
  ft: { quantity: 'length', factor: 0.3048 },
  mi: { quantity: 'length', factor: 1609.344 },
  g: { quantity: 'mass', factor: 0.001 },
  kg: { quantity: 'mass', factor: 1 },
  t: { quantity: 'mass', factor: 1000 },
  oz: { quantity: 'mass', factor: 0.028349523125 },
  lb: { quantity: 'mass', factor: 0.45359237 },
  ml: { quantity: 'volume', factor: 0.001 },
  l: { quantity: 'volume', factor: 1 },
  gal: { quantity: 'volume', factor: 3.785411784 },
  s: { quantity: 'time', factor: 1 },
  min: { quantity: 'time', factor: 60 },
  h: { quantity: 'time', factor: 3600 },
  d: { quantity: 'time', factor: 86_400 },
  K: { quantity: 'temperature', factor: 1 },
  C: { quantity: 'temperature', factor: 1, offset: 273.15 },
  F: { quantity: 'temperature', factor: 5 / 9, offset: 459.67 * (5 / 9) },
};

export const UNIT_NAMES = Object.keys(UNITS);

/** @throws RangeError when the units measure different things. */
export function convert(value: number, from: string, to: string): number {
  const [one, other] = [unitOf(from), unitOf(to)];
  if (one.quantity !== other.quantity) {
    throw new RangeError(`${from} measures ${one.quantity} and ${to} measures ${other.quantity}.`);
  }
  const base = value * one.factor + (one.offset ?? 0);
  return Number(((base - (other.offset ?? 0)) / other.factor).toPrecision(12));
}

function unitOf(name: string): Unit {
  const unit = Object.hasOwn(UNITS, name) ? UNITS[name] : undefined;
  if (unit === undefined) throw new RangeError(`${name} is not a unit known here: ${UNIT_NAMES.join(', ')}.`);
  return unit;
}

/** One line for each quantity. */
export function unitTable(): string {
  const byQuantity = Map.groupBy(Object.entries(UNITS), ([, unit]) => unit.quantity);
  return [...byQuantity]
    .map(([quantity, units]) => `${quantity}: ${units.map(([name]) => name).join(', ')}`)
    .join('\n');
}
