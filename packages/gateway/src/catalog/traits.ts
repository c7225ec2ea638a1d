/** The operator's words about a server's tools. */

import { globMatches } from '../model/glob.ts';
import { UNKNOWN_TRAITS, type Traits } from '../model/target.ts';

/** `"read_*": { readOnly: true, risk: low }` */
export type TraitRule = { readonly pattern: string; readonly traits: Partial<Traits> };

/**
 * The traits of a name: of several rules that match, each sets what it names, and the last one to name something wins.
 * What no rule names stays at its cautious default.
 */
export function traitsOf(name: string, rules: readonly TraitRule[]): Traits {
  let traits = UNKNOWN_TRAITS;
  for (const rule of rules) {
    if (globMatches(rule.pattern, name)) traits = { ...traits, ...rule.traits };
  }
  return traits;
}
