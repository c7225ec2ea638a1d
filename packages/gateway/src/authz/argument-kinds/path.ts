/**
 * A path as policy may believe it: POSIX, in the one spelling that every resolver reads alike. Nothing is repaired, because
 * what was judged must be what is sent: a text in any other spelling is refused, with the reason and the cure.
 *
 * Why `..` is refused rather than resolved: `/srv/data/link/../x` is `/srv/data/x` to whoever resolves names, and a
 * neighbour of what `link` points to for a kernel that follows it. No gateway can know which.
 */

import { err, ok, type Result } from '../../model/result.ts';
import { LOOK_ALIKE, UNSEEN } from './spellings.ts';

/** PATH_MAX and NAME_MAX of Linux, in UTF-8. */
const MAX_PATH_BYTES = 4_095;
const MAX_NAME_BYTES = 255;

/** `C:`, `file:`, `smb:`: for a server that knows drives or URLs the text would name something else altogether. */
const PREFIX = /^[A-Za-z][A-Za-z0-9+.-]*:/;

/** Also `%u002e`. Whoever decodes once or twice would read another path. */
const ENCODED = /%(?:[0-9A-Fa-f]{2}|[uU][0-9A-Fa-f])/;

/** Names made of dots (and spaces, which Windows drops at the end of a name) alone. */
const DOTS = /^[. ]*\.[. ]*$/;

type Rule = readonly [broken: (text: string) => boolean, message: string];

const RULES: readonly Rule[] = [
  [(text) => text === '', 'it is empty. Write a path, or "." for where the server stands.'],
  [(text) => !text.isWellFormed() || UNSEEN.test(text), 'it holds control or invisible characters. Leave them out.'],
  [(text) => text.includes('\\'), 'it holds a backslash. Separate names with "/".'],
  [(text) => ENCODED.test(text), 'it holds percent-encoding. Write the characters themselves.'],
  [(text) => LOOK_ALIKE.test(text), 'it holds characters that look like "/", "." or "~". Use plain ones.'],
  [(text) => text.normalize('NFC') !== text, 'its accents are written apart (Unicode NFD). Write it in NFC.'],
  [(text) => text.trim() !== text, 'it begins or ends with a space. Leave that out.'],
  [(text) => text.startsWith('~'), 'it begins with "~". Write the whole path.'],
  [(text) => PREFIX.test(text), 'it begins with a drive or a URL scheme. Write a plain path.'],
  [(text) => text.split('/').includes('..'), 'it holds "..". Write the path that you mean, from its start.'],
  [(text) => text.includes('//'), 'it holds "//". Write one "/".'],
  [(text) => text.length > 1 && text.endsWith('/'), 'it ends in "/". Leave that out.'],
  [(text) => text !== '.' && text.split('/').some((name) => DOTS.test(name)), 'a name in it is made of dots alone.'],
  [(text) => Buffer.byteLength(text) > MAX_PATH_BYTES, `it is longer than ${MAX_PATH_BYTES} bytes.`],
  [
    (text) => text.split('/').some((name) => Buffer.byteLength(name) > MAX_NAME_BYTES),
    `a name in it is longer than ${MAX_NAME_BYTES} bytes.`,
  ],
];

/** The path that policy sees: the text itself, or below `base` where it is relative. */
export function judgePath(text: string, base: string | undefined): Result<string, string> {
  // Before anything that looks at each character.
  if (text.length > MAX_PATH_BYTES) return err(`it is longer than ${MAX_PATH_BYTES} bytes.`);
  for (const [broken, message] of RULES) if (broken(text)) return err(message);
  if (base === undefined || text.startsWith('/')) return ok(text);
  if (text === '.') return ok(base);
  return ok(base === '/' ? `/${text}` : `${base}/${text}`);
}
