/**
 * What newer servers write and older clients cannot read. Strict clients refuse a whole list or result over one member that
 * breaks their schema, so such members are left out or written in older words.
 */

import { isJsonObject, type Json, type JsonObject } from '../../model/json.ts';
import type { UpstreamMessage } from '../../model/outcome.ts';
import type { LegacyRevision } from '../../model/revision.ts';
import type { Entry } from '../../model/target.ts';
import { nameOn } from '../answers.ts';
import type { EncodeContext } from '../codec.ts';

/** Clients of 2024-11-05 are served as those of 2025-03-26 are, in the words of their own revision. */
export type SpokenRevision = LegacyRevision | '2024-11-05';

/** `title`, `outputSchema`, `structuredContent` and `resource_link` came with 2025-06-18. */
const isBeforeStructure = (revision: SpokenRevision): boolean => revision <= '2025-03-26';

/** Sound came with 2025-03-26. */
const isBeforeAudio = (revision: SpokenRevision): boolean => revision === '2024-11-05';

const BRACE_OPEN = 0x7b;
const utf8 = new TextDecoder();

/** These revisions know structured output with an object at its root only. */
const isObjectSchema = (schema: Json | undefined): boolean => isJsonObject(schema) && schema.type === 'object';

/** Members of a definition that a client of this revision must not see. */
function unreadable(entry: Entry, revision: SpokenRevision): readonly string[] {
  const { definition } = entry;
  const names: string[] = [];
  if (isBeforeStructure(revision) && definition.title !== undefined) names.push('title');
  // It only tells whether a call may become a task, and legacy clients are offered none (docs/tasks.md): one that read
  // `required` there would not call the tool at all.
  if (definition.execution !== undefined) names.push('execution');
  const { outputSchema } = definition;
  if (outputSchema !== undefined && (isBeforeStructure(revision) || !isObjectSchema(outputSchema))) {
    names.push('outputSchema');
  }
  return names;
}

/** A definition for a list: its original text wherever nothing has to change. */
export function entryText(entry: Entry, revision: SpokenRevision, aggregate: boolean): string {
  const name = nameOn(entry, aggregate);
  const dropped = unreadable(entry, revision);
  if (name === undefined && dropped.length === 0) return entry.text;
  const kept = Object.entries(entry.definition).filter(([key]) => !dropped.includes(key));
  return JSON.stringify({ ...Object.fromEntries(kept), ...(name === undefined ? {} : { name }) });
}

/**
 * Must this result be read and rewritten? Of a result that is still arriving only the head is judged, and the tool's own
 * word on its output: anything else would hold back every large result.
 */
export function needsProjection(message: UpstreamMessage, revision: SpokenRevision, context: EncodeContext): boolean {
  const { operation, entry } = context;
  if (operation?.kind !== 'call-tool' && operation?.kind !== 'get-prompt') return false;
  const structured = message.members.get('structuredContent');
  if (isBeforeStructure(revision)) {
    if (structured !== undefined) return true;
    const text = utf8.decode(message.head);
    return text.includes('"resource_link"') || (isBeforeAudio(revision) && text.includes('"audio"'));
  }
  if (message.era === 'legacy') return false;
  if (structured !== undefined) return message.head[structured.valueStart] !== BRACE_OPEN;
  const declared = entry?.kind === 'tool' ? entry.definition.outputSchema : undefined;
  return message.resultEnd === undefined && declared !== undefined && !isObjectSchema(declared);
}

const isJsonArray = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

const SOUND: Json = { type: 'text', text: 'A sound, which this client cannot play.' };

/** A link in words: what it names, and where it points. */
function projectBlock(block: Json, revision: SpokenRevision): Json {
  if (isBeforeAudio(revision) && isJsonObject(block) && block.type === 'audio') return SOUND;
  if (!isJsonObject(block) || block.type !== 'resource_link' || typeof block.uri !== 'string') return block;
  const label = [block.title, block.name].find((text) => typeof text === 'string') ?? 'Resource';
  const about = typeof block.description === 'string' ? `\n${block.description}` : '';
  return { type: 'text', text: `${label}: ${block.uri}${about}` };
}

function projectMessage(message: Json, revision: SpokenRevision): Json {
  return isJsonObject(message) && message.content !== undefined
    ? { ...message, content: projectBlock(message.content, revision) }
    : message;
}

const isText = (block: Json): boolean => isJsonObject(block) && block.type === 'text';

/** Output that is left out must still be said: servers should repeat it as text, and where one did not, we do. */
function inWords(content: Json | undefined, structured: Json): readonly Json[] {
  const blocks = isJsonArray(content) ? content : [];
  return blocks.some(isText) ? blocks : [...blocks, { type: 'text', text: JSON.stringify(structured) }];
}

/** The result of a tool or prompt in the words of `revision`. */
export function projectResult(result: JsonObject, revision: SpokenRevision): JsonObject {
  const { structuredContent, ...others } = result;
  const isDropped =
    structuredContent !== undefined && (isBeforeStructure(revision) || !isJsonObject(structuredContent));
  const projected = isDropped ? { ...others, content: inWords(others.content, structuredContent) } : result;
  if (!isBeforeStructure(revision)) return projected;
  const { content, messages } = projected;
  return {
    ...projected,
    ...(isJsonArray(content) ? { content: content.map((block) => projectBlock(block, revision)) } : {}),
    ...(isJsonArray(messages) ? { messages: messages.map((message) => projectMessage(message, revision)) } : {}),
  };
}
