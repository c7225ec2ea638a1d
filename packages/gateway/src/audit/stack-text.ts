/**
 * The stack of a fault of ours as text that can be kept and shown elsewhere: which function of which file of the product,
 * and nothing of the machine it runs on.
 */

const MAX_STACK_CHARACTERS = 8192;
const MAX_CAUSES = 4;

/** An absolute path or a file URL; not the middle of a relative one, nor the path of another URL. */
const ABSOLUTE_PATH = /(?<![\w:/.-])(?:file:\/\/)?(?:\/|[A-Za-z]:[\\/])[^\s()'"`]+/g;
/** Where a path begins to be ours, or that of a package. */
const ROOTS = ['/node_modules/', '/packages/gateway/'];

/** With its causes. A value that is no error has no stack. */
export function stackText(thrown: unknown): string {
  const texts: string[] = [];
  let cause = thrown;
  while (cause instanceof Error && texts.length < MAX_CAUSES) {
    texts.push((cause.stack ?? `${cause.name}: ${cause.message}`).slice(0, MAX_STACK_CHARACTERS));
    ({ cause } = cause);
  }
  if (texts.length === 0) return thrown === undefined ? 'nothing is known of the cause' : `thrown: ${typeof thrown}`;
  return texts.join('\ncaused by ').replaceAll(ABSOLUTE_PATH, placeInProduct);
}

function placeInProduct(path: string): string {
  const text = path.replaceAll('\\', '/');
  for (const root of ROOTS) {
    const at = text.lastIndexOf(root);
    if (at !== -1) return text.slice(root === '/node_modules/' ? at + 1 : at + root.length);
  }
  return text.slice(text.lastIndexOf('/') + 1);
}
