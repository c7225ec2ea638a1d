/**
 * A second look at what is left, by secretlint's recommended rules: they know vendors that ours do not, and each new version
 * knows more. Only in the redaction thread: a look takes 0.3 to 1 ms, and what it loads takes 10 MB.
 */

import { without, type Span } from './redact-text.ts';

/** Takes out of `texts` what is found in them. */
export type SecretlintPass = (texts: readonly string[], rules: Set<string>) => Promise<readonly string[]>;

/** No rule has it in a token, so that none is found across two texts. */
const BETWEEN = '\n\u0001\n';

export async function loadSecretlint(): Promise<SecretlintPass> {
  const [{ lintSource }, preset] = await Promise.all([
    import('@secretlint/core'),
    import('@secretlint/secretlint-rule-preset-recommend'),
  ]);
  const config = { rules: [{ id: preset.creator.meta.id, rule: preset.creator, options: {} }] };
  return async (texts, rules) => {
    const content = texts.join(BETWEEN);
    const { messages } = await lintSource({
      source: { content, filePath: 'body.txt', ext: '.txt', contentType: 'text' },
      options: { config, noPhysicFilePath: true },
    });
    if (messages.length === 0) return texts;
    const spans = messages.map(({ ruleId, range: [start, end] }, rank): Span => ({
      name: nameOf(ruleId),
      start,
      end,
      rank,
    }));
    return split(texts, spans, rules);
  };
}

/** `@secretlint/secretlint-rule-github`: `github`. */
const nameOf = (ruleId: string): string => ruleId.replace(/^.*secretlint-rule-/, '').replace(/[^a-z0-9-]/gi, '-');

function split(texts: readonly string[], spans: readonly Span[], rules: Set<string>): readonly string[] {
  let from = 0;
  return texts.map((text) => {
    const start = from;
    from += text.length + BETWEEN.length;
    const own = spans
      .filter((span) => span.start < start + text.length && span.end > start)
      .map((span) => ({
        ...span,
        start: Math.max(0, span.start - start),
        end: Math.min(text.length, span.end - start),
      }));
    return own.length === 0 ? text : without(text, own, rules);
  });
}
