/**
 * The `allow` lists of servers, compiled to Cedar text: one policy `<server>.allow[<index>]` per rule, so that the easy way
 * and the full language are judged by one engine. Names are data: whatever they hold, they end up inside one string.
 */

import type { PolicyProblem } from './policy-problem.ts';
import type { PolicyText } from './policy-set.ts';

/**
 * One rule of an `allow` list. Patterns are over the upstream's own names; `*` stands for any text, every other character
 * for itself. A kind without patterns is not allowed at all. Every rule also lets its people connect to the server.
 */
export type AllowRule = {
  readonly who:
    | { readonly kind: 'group'; readonly name: string }
    /** An API key's name, or `<issuer>#<subject>` of a token: never a display name, which its owner may choose. */
    | { readonly kind: 'user'; readonly name: string }
    | { readonly kind: 'anyone' };
  readonly tools?: readonly string[];
  readonly prompts?: readonly string[];
  readonly resources?: readonly string[];
  /** Patterns over what the client calls itself. None: any client, and one that does not say what it is. */
  readonly surfaces?: readonly string[];
};

export type ServerAllowance = { readonly server: string; readonly rules: readonly AllowRule[] };

export type CompiledShorthand = { readonly texts: readonly PolicyText[]; readonly problems: readonly PolicyProblem[] };

const KINDS = [
  { list: 'tools', type: 'Tool', action: 'callTool' },
  { list: 'prompts', type: 'Prompt', action: 'getPrompt' },
  { list: 'resources', type: 'Resource', action: 'readResource' },
] as const;

export function compileShorthand(allowances: readonly ServerAllowance[]): CompiledShorthand {
  const texts: PolicyText[] = [];
  const problems: PolicyProblem[] = [];
  for (const { server, rules } of allowances) {
    for (const [index, rule] of rules.entries()) {
      const id = `${server}.allow[${index}]`;
      const faults = faultsOf(rule);
      problems.push(...faults.map((message) => ({ source: `servers.${server}`, policy: id, message })));
      if (faults.length === 0) texts.push({ id, text: compileRule(server, rule) });
    }
  }
  return { texts, problems };
}

function faultsOf(rule: AllowRule): string[] {
  const faults: string[] = [];
  const name = rule.who.kind === 'anyone' ? 'anyone' : rule.who.name;
  if (name === '') faults.push(`The ${rule.who.kind} has no name.`);
  if (!name.isWellFormed()) faults.push(`The ${rule.who.kind}'s name is not valid Unicode.`);
  for (const { list } of KINDS) {
    for (const pattern of rule[list] ?? []) {
      if (pattern === '' || !pattern.isWellFormed()) faults.push(`A pattern of ${list} is empty or not valid Unicode.`);
      // A `?` is an ordinary character of URIs; in a name it can only be meant as a wildcard, which Cedar lacks.
      else if (list !== 'resources' && pattern.includes('?')) {
        faults.push(`The pattern ${JSON.stringify(pattern)} of ${list} uses "?"; only "*" is a wildcard here.`);
      }
    }
  }
  if ((rule.surfaces ?? []).some((pattern) => pattern === '' || !pattern.isWellFormed())) {
    faults.push('A pattern of surfaces is empty or not valid Unicode.');
  }
  return faults;
}

function compileRule(server: string, rule: AllowRule): string {
  const granted = KINDS.filter(({ list }) => (rule[list] ?? []).length > 0);
  const actions = ['connect', ...granted.map(({ action }) => action)].map((action) => `Action::"${action}"`);
  const conditions = ['resource is Server', ...granted.map(({ list, type }) => namesOf(type, rule[list] ?? []))];
  return [
    `permit (${principalOf(rule.who)}, action in [${actions.join(', ')}], resource in Server::${cedarString(server)})`,
    `when { ${conditions.join(' || ')} }${surfacesOf(rule.surfaces ?? [])};`,
  ].join('\n');
}

function principalOf(who: AllowRule['who']): string {
  if (who.kind === 'anyone') return 'principal';
  return who.kind === 'group'
    ? `principal in Group::${cedarString(who.name)}`
    : `principal == User::${cedarString(who.name)}`;
}

function namesOf(type: string, patterns: readonly string[]): string {
  if (patterns.includes('*')) return `resource is ${type}`;
  return `(resource is ${type} && (${patterns.map((pattern) => like('resource.name', pattern)).join(' || ')}))`;
}

const surfacesOf = (patterns: readonly string[]): string =>
  patterns.length === 0 ? '' : `\nwhen { ${patterns.map((pattern) => like('context.surface', pattern)).join(' || ')} }`;

const like = (what: string, pattern: string): string =>
  pattern.includes('*')
    ? `${what} like "${pattern.split('*').map(escape).join('*')}"`
    : `${what} == ${cedarString(pattern)}`;

/** A Cedar string literal that holds exactly `text`. */
export const cedarString = (text: string): string => `"${escape(text)}"`;

/** Only letters, digits and a few harmless marks stand for themselves; the rest is written by its number. */
function escape(text: string): string {
  let escaped = '';
  for (const character of text) {
    escaped += /^[\w ./:@#%+,=~-]$/.test(character)
      ? character
      : `\\u{${character.codePointAt(0)?.toString(16) ?? ''}}`;
  }
  return escaped;
}
