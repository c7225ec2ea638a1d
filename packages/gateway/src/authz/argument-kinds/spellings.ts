/** Characters that make two texts look alike, or one text read differently by two programs. */

/**
 * Controls, format characters, surrogates, private use, unassigned, line separators; and what is ignored where text is
 * compared (variation selectors, fillers): a file system that drops them would read `.<ignored>.` as `..`.
 */
export const UNSEEN = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u;

/**
 * Everything that compatibility normalisation (NFKC) turns into text with a dot, a slash, a backslash, a tilde or a percent
 * sign in it; and slashes that it leaves alone but a code page's best fit does not (fraction, division, set minus, and the
 * mathematical and drawn ones). `spellings.test.ts` holds the list against Unicode as this Node knows it.
 */
export const LOOK_ALIKE =
  /[\u2024-\u2026\u2100\u2101\u2105\u2106\u2488-\u249b\u33c2\u33c7\u33d8\ufe19\ufe30\ufe52\ufe68\ufe6a\uff05\uff0e\uff0f\uff3c\uff5e\u{1f100}\u2044\u2215\u2216\u223c\u29f5\u29f8\u29f9\u2571\u2572]/u;
