/** Places for calls in flight, by key. The map is as large as the number of calls in flight, which the door bounds. */

export interface Places {
  /** Takes a place; what it returns gives it back, once. Undefined when the key has none left. */
  take(key: string): (() => void) | undefined;
}

/** @throws RangeError when `max` is not a positive whole number. */
export function createPlaces(max: number): Places {
  if (!Number.isSafeInteger(max) || max < 1) throw new RangeError('concurrent must be a positive whole number');
  const held = new Map<string, number>();
  return {
    take(key) {
      const count = held.get(key) ?? 0;
      if (count >= max) return undefined;
      held.set(key, count + 1);
      let given = false;
      return () => {
        if (given) return;
        given = true;
        const left = (held.get(key) ?? 1) - 1;
        if (left === 0) held.delete(key);
        else held.set(key, left);
      };
    },
  };
}
