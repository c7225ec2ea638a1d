import { describe, expect, it } from 'vitest';
import { authorizerFor, digest, optionsFor, problemsOf } from './authorizer-fixture.ts';
import { createAuthorizer } from './cedar-authorizer.ts';

describe('a policy that is refused', () => {
  const cases: readonly [string, string, string | RegExp][] = [
    [
      'a misspelt keyword',
      'permit (principal, action, resource)\nwhne { true };',
      'test.cedar:2:1: invalid policy condition: whne; condition must be either `when` or `unless`.',
    ],
    [
      'a misspelt function',
      'permit (principal, action, resource) when { ipp("1.2.3.4").isIpv4() };',
      /^test\.cedar:1:\d+: .*`ipp` is not a valid function; did you mean `ip`\?\.$/,
    ],
    ['text that ends too early', 'permit (principal,', /^test\.cedar:1:19: unexpected end of input; expected .*\.$/],
    [
      'a place after other alphabets',
      '// größe 😀\npermit (principal == User::"😀", action, resource) whne { true };',
      /^test\.cedar:2:52: invalid policy condition: whne/,
    ],
    [
      'an unknown action',
      '\nforbid (principal, action == Action::"calltool", resource);',
      'test.cedar:2:1: policy "test": unknown action "calltool"; did you mean "callTool"?',
    ],
    [
      'an unknown action among others',
      'permit (principal, action in [Action::"callTool", Action::"x"], resource);',
      'test.cedar:1:1: policy "test": unknown action "x"; known are connect, callTool, getPrompt, readResource, callMethod, askAccess, askAccessOfOthers, readApprovals, decideApproval, readAudit, readAuditBodies, readUsage, readLive, readCredentials, readAllTenants, revokeCredentials.',
    ],
    [
      'an unknown entity type',
      'permit (principal in Grup::"x", action, resource);',
      'test.cedar:1:1: policy "test": unknown entity type "Grup"; did you mean "Group"?',
    ],
    [
      'an unknown type in a test',
      'permit (principal is Usr, action, resource) when { resource is Tol };',
      'test.cedar:1:1: policy "test": unknown entity type "Usr"; did you mean "User"?',
    ],
    [
      'an unknown attribute',
      'permit (principal, action, resource) when { resource.rsk == "low" };',
      'test.cedar:1:1: policy "test": unknown attribute of resource "rsk"; did you mean "risk"?',
    ],
    [
      'an unknown attribute that is only asked for',
      'forbid (principal, action, resource) when { context has argumnts };',
      'test.cedar:1:1: policy "test": unknown attribute of context "argumnts"; did you mean "arguments"?',
    ],
    [
      'an unknown entity in a literal',
      'permit (principal, action, resource) when { [Usr::"x"].contains(principal) };',
      'test.cedar:1:1: policy "test": unknown entity type "Usr"; did you mean "User"?',
    ],
    [
      'an unknown annotation',
      '@aproval("caller") permit (principal, action, resource);',
      'test.cedar:1:1: policy "test": unknown annotation "aproval"; did you mean "approval"?',
    ],
    [
      'a forbid with an approval',
      '@approval("caller") forbid (principal, action, resource);',
      'test.cedar:1:1: policy "test": @approval belongs on a permit: a forbid cannot be approved.',
    ],
    [
      'an approval by what is no group',
      '@approval("manager") permit (principal, action, resource);',
      'test.cedar:1:1: policy "test": @approval must say who approves: @approval("caller") or @approval("group:dba").',
    ],
    [
      'an approval by nobody',
      '@approval permit (principal, action, resource);',
      'test.cedar:1:1: policy "test": @approval must say who approves: @approval("caller") or @approval("group:dba").',
    ],
    [
      'a template',
      '\npermit (principal == ?principal, action, resource);',
      'test.cedar:2:1: Templates (?principal, ?resource) are not taken. Write the entity itself.',
    ],
    [
      'the same id twice',
      '@id("a") permit (principal, action, resource);\n@id("a") forbid (principal, action, resource);',
      'test.cedar:2: policy "a": This id is taken by test.cedar:1. Give one of them another @id.',
    ],
    [
      'text that is not Unicode',
      'permit (principal == User::"\ud800", action, resource);',
      'test.cedar: The text is not valid Unicode. Save the file as UTF-8.',
    ],
    [
      'text that is too long',
      ' '.repeat(1_000_001),
      'test.cedar: The text has 1000001 characters; at most 1000000 are taken.',
    ],
  ];
  it.each(cases)('names place, fault and remedy: %s', (_, text, expected) => {
    const [first] = problemsOf(text);
    if (typeof expected === 'string') expect(first).toBe(expected);
    else expect(first).toMatch(expected);
  });

  it('does not hide the problems of other files', () => {
    const policies = [
      { file: 'a.cedar', text: 'permit (' },
      { file: 'b.cedar', text: 'permit (principal, action, resource);' },
      {
        file: 'c.cedar',
        text: 'permit (principal is X, action, resource);\nforbid (principal, action, resource is Y);',
      },
    ];
    const problems = problemsOf({ policies });
    expect(problems.map((problem) => problem.split(': ')[0])).toEqual(['a.cedar:1:9', 'c.cedar:1:1', 'c.cedar:2:1']);
  });

  it('is one too many', () => {
    const text = 'permit (principal, action, resource);\n'.repeat(4);
    expect(problemsOf({ policies: [{ id: 'p', text }], limits: { maxPolicies: 3 } })).toEqual([
      'policies: There are 4 policies; at most 3 are taken.',
    ]);
  });
});

describe('a policy set', () => {
  it('numbers the policies of a file in their order', () => {
    const text = Array.from(
      { length: 12 },
      (_, index) => `permit (principal, action, resource) when { resource.name == "n${index}" };`,
    ).join('\n');
    const authorizer = authorizerFor(text);
    expect(authorizer.policyCount).toBe(12);
    const created = createAuthorizer(
      optionsFor({
        policies: [{ file: 'd/test.cedar', text: `${text}\npermit (principal is Nobody, action, resource);` }],
      }),
    );
    expect(created).toMatchObject({ ok: false, error: [{ policy: 'test[12]', line: 13 }] });
  });

  it('has a version that follows its policies', () => {
    const version = (text: string) => authorizerFor(text).version;
    const text = 'permit (principal, action, resource);';
    expect(version(text)).toBe(version(text));
    expect(version(text)).not.toBe(version(text.replace('permit', 'forbid')));
    expect(version(text)).toHaveLength(digest('').length);
  });
});
