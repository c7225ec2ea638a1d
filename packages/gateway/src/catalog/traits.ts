/** The operator's words about a server and what it offers: traits, and what is hidden, pinned or declared of its tools. */

import type { DeclaredArgument } from '../model/argument-kind.ts';
import { globMatches } from '../model/glob.ts';
import type { JsonObject } from '../model/json.ts';
import { serverTraits, type Server, type Traits } from '../model/target.ts';

/** Whose names a rule is about. Resources and templates are one: a template is how a resource is found. */
export type TraitKind = 'tools' | 'prompts' | 'resources';

/** `tools: { "read_*": { readOnly: true, risk: low } }` */
export type TraitRule = {
  readonly of: TraitKind;
  readonly pattern: string;
  readonly traits: Partial<Traits>;
  /** Of tools: not listed, not callable. */
  readonly hidden?: boolean;
  readonly pins?: JsonObject;
  readonly declared?: readonly DeclaredArgument[];
};

type Named = { readonly of: TraitKind; readonly name: string };

export type ToolWords = {
  readonly hidden: boolean;
  readonly pins: JsonObject;
  readonly declared: readonly DeclaredArgument[];
  /** Declared by a rule that names this one tool: a place that the tool does not have is then a slip of the pen. */
  readonly exact: ReadonlySet<DeclaredArgument>;
};

/**
 * The traits of a name: of several rules that match, each sets what it names, and the last one to name something wins.
 * What no rule names is as the server has it, else at its cautious default. A server's tags stay, whatever the rules say:
 * a rule about one tool must not take it out of a policy about the whole server.
 */
export function traitsOf(server: Server, { of, name }: Named, rules: readonly TraitRule[]): Traits {
  const base = serverTraits(server);
  let traits = base;
  for (const rule of rules) {
    if (rule.of === of && globMatches(rule.pattern, name)) traits = { ...traits, ...rule.traits };
  }
  return traits === base ? base : { ...traits, tags: [...new Set([...base.tags, ...traits.tags])] };
}

/** What is hidden, pinned and declared of a tool. As with traits, the last rule to name something wins. */
export function toolWordsOf(name: string, rules: readonly TraitRule[]): ToolWords {
  let hidden = false;
  const pins = new Map<string, JsonObject[string]>();
  const declared = new Map<string, DeclaredArgument>();
  const exact = new Set<DeclaredArgument>();
  for (const rule of rules) {
    if (rule.of !== 'tools' || !globMatches(rule.pattern, name)) continue;
    hidden = rule.hidden ?? hidden;
    for (const [argument, value] of Object.entries(rule.pins ?? {})) pins.set(argument, value);
    for (const argument of rule.declared ?? []) {
      declared.set(argument.place, argument);
      if (rule.pattern === name) exact.add(argument);
    }
  }
  return { hidden, pins: Object.fromEntries(pins), declared: [...declared.values()], exact };
}
