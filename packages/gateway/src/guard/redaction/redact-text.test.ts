import { describe, expect, it } from 'vitest';

import { PERSONAL_DATA } from '../../model/redaction.ts';
import { createTextRedactor } from './redact-text.ts';
import { ORDINARY, PEOPLE, SECRETS } from './secrets.fixture.ts';

const redactor = createTextRedactor(new Set(PERSONAL_DATA.filter((kind) => kind !== 'ip')));
const redact = (text: string) => {
  const rules = new Set<string>();
  return { text: redactor.redact(text, rules), rules: [...rules] };
};

describe('redaction of a text', () => {
  it.each(SECRETS)('takes the secret out of %j', (text, secret) => {
    expect(text).toContain(secret);
    const redacted = redact(`before\n${text}\nafter`);
    expect(redacted.text).not.toContain(secret);
    expect(redacted.text).toContain('before');
    expect(redact(text).text).not.toContain(secret);
    expect(redacted.rules).not.toEqual([]);
  });

  it.each(PEOPLE)('takes the personal data out of %j', (text, rule, secret) => {
    const redacted = redact(text);
    expect(redacted.text).not.toContain(secret);
    expect(redacted.rules).toEqual([rule]);
    expect(redacted.text).toContain(`[redacted:${rule}]`);
  });

  it.each(ORDINARY)('leaves %j as it is', (text) => {
    expect(redact(text)).toEqual({ text, rules: [] });
  });
});
