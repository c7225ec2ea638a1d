/** docs/reference/policy-model.md, from the table of the entity model. A generated file: `npm run schema` writes it. */

import {
  ACTION_MODEL,
  ANNOTATION_MODEL,
  CONTEXT_MODEL,
  ENTITY_MODEL,
  PRINCIPAL_MODEL,
  RESOURCE_MODEL,
  WORKLOAD_MODEL,
  type AttributeModel,
} from './entity-model.ts';
import { ACTIONS, ANNOTATIONS, ENTITY_TYPES } from './vocabulary.ts';

export const MODEL_FILE = 'docs/reference/policy-model.md';

export function modelPage(): string {
  const entities = ENTITY_TYPES.map((type) => {
    const { in: above, id, says } = ENTITY_MODEL[type];
    return [code(type), above.map(code).join(', '), id, says];
  });
  const actions = ACTIONS.map((name) => [
    code(name),
    ACTION_MODEL[name].on.map(code).join(', '),
    ACTION_MODEL[name].says,
  ]);
  return `${[
    '# What policies speak of',
    INTRODUCTION,
    '## Entities',
    table(['type', 'in', 'id', 'what it is'], entities),
    TENANTS,
    '## Principals',
    'What `User` and `Workload` carry:',
    attributes(PRINCIPAL_MODEL),
    'And `Workload` alone:',
    attributes(WORKLOAD_MODEL),
    WORKLOADS,
    '## Resources',
    'What `Server`, `Tool`, `Prompt` and `Resource` all carry:',
    attributes(RESOURCE_MODEL),
    '## Actions',
    table(['action', 'on', 'what is asked'], actions),
    '## Context',
    attributes(CONTEXT_MODEL),
    ARGUMENTS,
    '## Annotations',
    table(
      ['annotation', 'what it means'],
      ANNOTATIONS.map((name) => [code(`@${name}`), ANNOTATION_MODEL[name]]),
    ),
    CHECKS,
  ].join('\n\n')}\n`;
}

const code = (text: string): string => `\`${text}\``;

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

function attributes(model: Readonly<Record<string, AttributeModel>>): string {
  const rows = Object.entries(model).map(([name, { type, optional, values, says }]) => {
    const known = values === undefined ? '' : `: ${values.map(code).join(', ')}`;
    const presence = optional === true ? ', optional' : '';
    return [code(name), `${type === 'open' ? 'a record, known per request' : code(type)}${presence}${known}`, says];
  });
  return table(['attribute', 'type', 'what it says'], rows);
}

const INTRODUCTION = `Generated from the table that the code is built from, by \`npm run schema\`. Policies are Cedar: nothing is allowed without a
\`permit\`, a \`forbid\` wins, and a policy that cannot be evaluated denies.`;

const TENANTS = `Outside the default tenant, ids of users, workloads, groups and clients have \`<tenant>#\` before them, and those of API keys
\`<tenant>##\`. \`%\` and \`#\` within a part are written \`%25\` and \`%23\`.`;

const WORKLOADS = `A request can carry two layers: a user by token or key, and a workload by certificate. The principal is then the user, and
the workload stands in the context, so a policy can demand either or both:

    permit (principal is User, action, resource in Server::"payments")
    when { context has workload && context.workload == Workload::"spiffe://example.org/agent" };

A workload alone reaches only what is marked \`risk: low\` and \`readOnly: true\`, whatever a permit says, unless the permit
names workloads in its scope: \`principal is Workload\`, \`principal is Workload in Group::"…"\` or
\`principal == Workload::"…"\`. \`connect\` is exempt. Permits that do not count for this reason are named in the log and by
\`sallyport tools\`.`;

const ARGUMENTS = `How arguments look to a policy:

| in JSON | to a policy |
| --- | --- |
| a number where the schema says \`number\` | always a decimal, whole or not: \`context.arguments.amount.greaterThan(decimal("100.0"))\` |
| a number where the schema says \`integer\` | a Long: \`context.arguments.count < 5\` |
| a number of which the schema says neither | a Long when it is whole, else a decimal |
| text, true, false, a list, an object | String, Bool, Set, record |
| \`null\`, a number with more than four decimal places or beyond 14 digits, text that is not Unicode | present, but unreadable: every comparison but \`==\` is an error, which denies |

The schema is followed through \`properties\`, \`patternProperties\`, \`additionalProperties\`, \`items\`, \`prefixItems\`, \`allOf\`,
\`anyOf\`, \`oneOf\` and local \`$ref\`, to 64 parts for one place. Where several speak of one place, \`number\` goes before
\`integer\`. Arguments were checked against the schema before policy sees them; where one is optional, ask \`has\` first.`;

const CHECKS = `## What is checked when policies are loaded

Every word, every scope and every type, against a Cedar schema made from these tables: a value that an attribute never has, a
comparison that never fits, an optional attribute without \`has\`, an action that is never about that kind of resource. One
problem refuses the whole set, and names file, line and the nearest name. Conditions on \`context.arguments\` and
\`principal.claims\` have no type until a request is there: they are taken as true or false, and what is joined to them by
\`&&\`, \`||\`, \`!\` and \`if\` is checked. A policy that can never hold, and a set without any policy, are taken with a warning.`;
