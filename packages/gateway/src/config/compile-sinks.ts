/** The settings `audit.index` and `audit.sinks` as the program uses them. */

import type { Config, SinkConfig } from './config.ts';
import type { ValueConfig } from './secrets-config.ts';
import { DEFAULT_KEEP, type ParsedIndex, type ParsedSinks } from './sinks-schema.ts';

type Locate = (value: ValueConfig) => ValueConfig;

export function compileIndex(index: ParsedIndex): Config['audit']['index'] {
  if (index === 'off') return undefined;
  return index === 'auto' ? { on: 'postgres', keepMs: DEFAULT_KEEP } : { on: 'any', keepMs: index.keep };
}

export function compileSinks(sinks: ParsedSinks, locate: Locate): readonly SinkConfig[] {
  return sinks.map((sink) => {
    const { name, kind, url, headers, timeout, compression } = sink;
    return {
      name: name ?? kind,
      url: locate(url),
      headers: Object.fromEntries(Object.entries(headers).map(([header, value]) => [header, locate(value)])),
      timeoutMs: timeout,
      compression,
      format: sink.kind === 'http' ? sink.format : 'otlp',
    };
  });
}
