/** How much there is to look at in arguments. */

export type Weight = { readonly values: number; readonly characters: number };

/** Nothing that came through the entrypoint is nested as deep; deeper arguments count as endless. */
const MAX_DEPTH = 128;

const ENDLESS: Weight = { values: Number.POSITIVE_INFINITY, characters: Number.POSITIVE_INFINITY };

/** Values and characters; endless when there are more than `maxValues` values, or when they are nested too deeply. */
export function weigh(value: unknown, maxValues: number): Weight {
  let values = 0;
  let characters = 0;
  const visit = (member: unknown, depth: number): boolean => {
    if (++values > maxValues || depth > MAX_DEPTH) return false;
    if (typeof member === 'string') characters += member.length;
    else if (Array.isArray(member)) {
      for (const item of member) if (!visit(item, depth + 1)) return false;
    } else if (typeof member === 'object' && member !== null) {
      for (const name in member) {
        characters += name.length;
        if (!visit(Reflect.get(member, name), depth + 1)) return false;
      }
    }
    return true;
  };
  return visit(value, 0) ? { values, characters } : ENDLESS;
}
