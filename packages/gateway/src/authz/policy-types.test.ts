/** What is refused because it cannot be right, and that nothing that can be right is. */

import { describe, expect, it } from 'vitest';
import { authorizerFor, problemsOf } from './authorizer-fixture.ts';
import { describeProblem } from './policy-problem.ts';

const when = (condition: string): string => `permit (principal, action, resource)\nwhen { ${condition} };`;

describe('a policy that no schema allows is refused', () => {
  const cases: readonly [string, string, string | RegExp][] = [
    [
      'a type that never fits',
      when('resource.risk == 5'),
      'test.cedar:2:8: policy "test": the types Long and String are not compatible; both operands to a `==` expression must have compatible types. Types must be exactly equal to be compatible.',
    ],
    ['an order of texts', when('resource.name < 5'), /:2:8: .*expected Long but saw String/],
    [
      'an optional attribute without has',
      when('principal.client == Client::"x"'),
      /:2:8: .*optional attribute `client`.*try testing for the attribute's presence with `e has client && \.\.`\.$/,
    ],
    ['the workload without has', when('context.workload == Workload::"x"'), /:2:8: .*optional attribute `workload`/],
    [
      'an attribute of workloads, of anybody',
      when('principal.trustDomain == "x"'),
      /attribute `trustDomain` on entity type `User` not found/,
    ],
    [
      'an attribute behind another',
      when('resource.server.ownr == "x"'),
      /attribute `ownr`.*not found; did you mean `owner`\?\.$/,
    ],
    [
      'beside a condition on arguments',
      when('context.arguments.n < 5 && resource.readOnly == "yes"'),
      /^test\.cedar:1:1: policy "test": the types Bool and String are not compatible/,
    ],
    [
      'in a branch beside arguments',
      when('if context.arguments has n then resource.tags.contains(1) else false'),
      /the types Long and String are not compatible/,
    ],
    [
      'an action that is never about this',
      'forbid (principal, action == Action::"callTool", resource is Prompt);',
      'test.cedar:1:1: policy "test": no request fits this scope: its action is never about this kind of resource, or of principal.',
    ],
    ['a principal that is none', 'permit (principal == Tool::"x", action, resource);', /no request fits this scope/],
    [
      'a value that an attribute never has',
      when('resource.risk == "hihg"'),
      'test.cedar:1:1: policy "test": unknown risk "hihg"; did you mean "high"?',
    ],
    [
      'such a value among others',
      when('["public", "internl"].contains(resource.classification)'),
      'test.cedar:1:1: policy "test": unknown classification "internl"; did you mean "internal"?',
    ],
    [
      'a number that is too large to be compared',
      when('context.arguments.n < 9223372036854775807'),
      /a number beyond 9007199254740991/,
    ],
    [
      'a mode that there is not',
      '@mode("dry-run") forbid (principal, action, resource);',
      'test.cedar:1:1: policy "test": @mode knows @mode("observe") only; leave it out to enforce the policy.',
    ],
    ['a mode without a word', '@mode forbid (principal, action, resource);', /@mode knows @mode\("observe"\) only/],
  ];
  it.each(cases)('%s', (_, text, expected) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    if (typeof expected === 'string') expect(problems[0]).toBe(expected);
    else expect(problems[0]).toMatch(expected);
  });

  it('each of several, at its own place', () => {
    const text = `${when('resource.readOnly')}\n\n${when('resource.risk == 1')}\n${when('resource.name == 1')}`;
    expect(problemsOf(text).map((problem) => problem.split(': ')[0])).toEqual(['test.cedar:5:8', 'test.cedar:7:8']);
  });
});

describe('a policy that can be right is taken', () => {
  const conditions = [
    'resource == Server::"files" || resource.name == "get-sum"',
    '[User::"alice", User::"bob"].contains(principal)',
    '[User::"alice", Workload::"spiffe://example.org/agent"].contains(principal)',
    'principal in [Group::"a", Tenant::"acme"]',
    '[].contains(resource.name)',
    'decimal(resource.name) == decimal("1.0")',
    '(if context.surface == "x" then principal else resource).name == "x"',
    '{ who: principal } == { who: User::"alice" }',
    'context.arguments == { amount: 5 }',
    'context.arguments.owner == principal.subject',
    '(if context.arguments has n then context.arguments.n else 0) < 5',
    'context.arguments.amount.greaterThan(decimal("1.0")) || context.arguments.tags.containsAny(["a"])',
    'principal.claims has team && principal.claims.team == "x"',
    'principal has claims.team && principal.claims.team like "x*"',
    'context == { surface: "x" }',
    'principal is User && context has workload && context.workload == Workload::"spiffe://example.org/agent"',
    'context has workload && context.workload.trustDomain == "example.org"',
    'context has workload && context.arguments.n == 1 && context.workload.id like "spiffe://*"',
    'if context.arguments.n == 1 && context has workload then context.workload.name == "x" else false',
    'principal is Workload && principal.trustDomain == "example.org"',
    'principal in Client::"https://idp.example.com#ide"',
    'resource.environment == "production" && resource.classification == "restricted"',
    'context.now.toTime() < duration("8h")',
    'context.undeclared.isEmpty()',
  ];
  it.each(conditions)('%s', (condition) => expect(problemsOf(when(condition))).toEqual([]));
});

describe('a policy that is taken with a warning', () => {
  const warningsOf = (text: string) => authorizerFor(text).warnings.map(describeProblem);

  it('decides nothing, whatever is asked', () => {
    expect(warningsOf(when('resource.readOnly && resource in Group::"x"'))).toEqual([
      'test.cedar:1:1: policy "test": its conditions hold for no request, so it decides nothing.',
    ]);
  });

  it('is none at all', () => {
    expect(warningsOf('')).toEqual(['policies: There is no policy at all, so nothing is allowed to anyone.']);
    expect(warningsOf('permit (principal, action, resource);')).toEqual([]);
  });
});
