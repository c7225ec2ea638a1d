import { describe, expect, it } from 'vitest';

import { LOOK_ALIKE, UNSEEN } from './spellings.ts';

describe('look-alikes', () => {
  it('are all characters that normalisation turns into a dot, a slash, a backslash, a tilde or a percent sign', () => {
    const missing: string[] = [];
    for (let point = 0x80; point <= 0x1_ff_ff; point++) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const character = String.fromCodePoint(point);
      if (/[./\\~%]/.test(character.normalize('NFKC')) && !LOOK_ALIKE.test(character)) missing.push(point.toString(16));
    }
    expect(missing).toEqual([]);
  });

  it('are none of the characters that names are written with', () => {
    expect(LOOK_ALIKE.exec('azAZ09._-~%/\\ äßжは中文ー・。：')?.[0]).toBeUndefined();
  });
});

describe('what cannot be seen', () => {
  it.each([
    '\0',
    '\n',
    '\u007f',
    '\u0085',
    '\u200b',
    '\u200d',
    '\u202e',
    '\u2028',
    '\ufe0f',
    '\u00ad',
    '\u{e0041}',
    '\ue000',
  ])('holds %j', (character) => expect(UNSEEN.test(character)).toBe(true));

  it.each(['a', ' ', '\u00a0', '\u202f', 'é', '中'])('does not hold %j', (character) =>
    expect(UNSEEN.test(character)).toBe(false),
  );
});
