/** Schemas, values and places in them, in a few words. The words of a schema are its tool's own, which callers may read. */

const MAX_TEXT = 80;
const MAX_CHOICES = 10;

export type Node = Readonly<Record<string, unknown>>;

export const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a schema asks for. */
export function describe(schema: unknown, depth = 0): string {
  if (!isNode(schema)) return schema === false ? 'nothing' : 'a value';
  if ('const' in schema) return literal(schema['const']);
  if (Array.isArray(schema['enum'])) return `one of ${listed(schema['enum'].map(literal))}`;
  const { type } = schema;
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) return type.join(' or ');
  const choices = schema['anyOf'] ?? schema['oneOf'];
  if (Array.isArray(choices) && depth === 0) {
    return [...new Set(choices.map((choice) => describe(choice, depth + 1)))].slice(0, MAX_CHOICES).join(' or ');
  }
  return 'a value that the schema allows';
}

const listed = (texts: readonly string[]): string =>
  texts.length > MAX_CHOICES ? `${texts.slice(0, MAX_CHOICES).join(', ')}, …` : texts.join(', ');

const literal = (value: unknown): string => short(JSON.stringify(value) ?? 'nothing');

export const short = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text);

/** The kind of a value, never the value. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return value === undefined ? 'nothing' : typeof value;
}

/** `arguments`, then `.name`, `[0]` or `["odd name"]`. */
export function pathText(pointer: string): string {
  return `arguments${stepsOf(pointer)
    .map((name) => (/^\d+$/u.test(name) ? `[${name}]` : step(name)))
    .join('')}`;
}

export const step = (name: string): string =>
  /^[A-Za-z_$][\w$-]*$/u.test(name) && name.length <= MAX_TEXT ? `.${name}` : `[${literal(name)}]`;

export const stepsOf = (pointer: string): readonly string[] =>
  pointer
    .split('/')
    .slice(1)
    .map((text) => text.replaceAll('~1', '/').replaceAll('~0', '~'));

export function valueAt(root: unknown, pointer: string): unknown {
  let at = root;
  for (const name of stepsOf(pointer)) at = memberOf(at, name);
  return at;
}

/** The validator's paths go through references without saying so. */
export function nodeAt(document: unknown, schemaPath: string): Node {
  let at = followed(document, document);
  for (const name of stepsOf(schemaPath)) at = followed(memberOf(at, name), document);
  return isNode(at) ? at : {};
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name) ? Reflect.get(value, name) : undefined;

/** Through a node that is nothing but a reference; where a reference has company, the company is what paths name. */
function followed(node: unknown, document: unknown): unknown {
  let at = node;
  for (let hops = 0; hops < 64; hops++) {
    if (!isNode(at) || typeof at['$ref'] !== 'string' || Object.keys(at).length > 1) return at;
    at = valueAt(document, at['$ref'].slice(1));
  }
  return at;
}
