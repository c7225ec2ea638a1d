/** A YAML text and its places: where the node of a path stands, so that every problem can name its line. */

import { isMap, isNode, isPair, isScalar, LineCounter, parseDocument } from 'yaml';
import type { Document } from 'yaml';

export type Place = { readonly line: number; readonly column: number };

export type PathStep = string | number;

export interface ConfigDocument {
  readonly value: unknown;
  /** What YAML itself objects to: syntax, duplicate keys, aliases. */
  readonly faults: readonly { readonly place: Place; readonly message: string }[];
  /** Where the value of `path` stands, or the nearest thing around it. */
  place(path: readonly PathStep[]): Place;
  /** Where the key itself stands. */
  placeOfKey(path: readonly PathStep[], key: string): Place;
}

/** Never throws. Anchors and aliases are refused: they hide what a file says, and expand without bound. */
export function parseConfigDocument(text: string): ConfigDocument {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2' });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  const faults = [...document.errors, ...document.warnings].map((fault) => ({
    place: at(fault.pos[0]),
    message: sentence(fault.message),
  }));
  return {
    value: faults.length > 0 ? undefined : plainValue(document, faults, at),
    faults,
    place: (path) => placeOf(document, path, at),
    placeOfKey: (path, key) => {
      const map = path.length === 0 ? document.contents : document.getIn(path, true);
      const pair = isMap(map) ? map.items.find((item) => isScalar(item.key) && item.key.value === key) : undefined;
      return isNode(pair?.key) && pair.key.range ? at(pair.key.range[0]) : placeOf(document, path, at);
    },
  };
}

function plainValue(
  document: Document,
  faults: { place: Place; message: string }[],
  at: (offset: number) => Place,
): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch (error) {
    faults.push({ place: at(0), message: `Aliases (*name) are not supported: ${sentence(String(error))}` });
    return undefined;
  }
}

function placeOf(document: Document, path: readonly PathStep[], at: (offset: number) => Place): Place {
  for (let length = path.length; length > 0; length -= 1) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return at(node.range[0]);
    const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === path[length - 1])
      : undefined;
    if (isNode(pair?.key) && pair.key.range) return at(pair.key.range[0]);
  }
  return { line: 1, column: 1 };
}

const sentence = (text: string): string => (text.endsWith('.') ? text : `${text}.`);
