/** The operator's words about a server's tools: traits, and what is hidden, pinned or declared of them. */

import type { DeclaredArgument } from '../model/argument-kind.ts';
import { globMatches } from '../model/glob.ts';
import type { JsonObject } from '../model/json.ts';
import { UNKNOWN_TRAITS, type Traits } from '../model/target.ts';

/** `"read_*": { readOnly: true, risk: low }` */
export type TraitRule = {
  readonly pattern: string;
  readonly traits: Partial<Traits>;
  /** Not listed, not callable. */
  readonly hidden?: boolean;
  readonly pins?: JsonObject;
  readonly declared?: readonly DeclaredArgument[];
};

export type ToolWords = {
  readonly hidden: boolean;
  readonly pins: JsonObject;
  readonly declared: readonly DeclaredArgument[];
  /** Declared by a rule that names this one tool: a place that the tool does not have is then a slip of the pen. */
  readonly exact: ReadonlySet<DeclaredArgument>;
};

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

/** What is hidden, pinned and declared of a tool. As with traits, the last rule to name something wins. */
export function toolWordsOf(name: string, rules: readonly TraitRule[]): ToolWords {
  let hidden = false;
  const pins = new Map<string, JsonObject[string]>();
  const declared = new Map<string, DeclaredArgument>();
  const exact = new Set<DeclaredArgument>();
  for (const rule of rules) {
    if (!globMatches(rule.pattern, name)) continue;
    hidden = rule.hidden ?? hidden;
    for (const [argument, value] of Object.entries(rule.pins ?? {})) pins.set(argument, value);
    for (const argument of rule.declared ?? []) {
      declared.set(argument.place, argument);
      if (rule.pattern === name) exact.add(argument);
    }
  }
  return { hidden, pins: Object.fromEntries(pins), declared: [...declared.values()], exact };
}
