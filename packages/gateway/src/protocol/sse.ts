/**
 * Reads an event stream (HTML, "Server-sent events", 9.2.6) as its bytes arrive. Data is handed on piece by piece and
 * never collected here, so an event of any size costs nothing; what else a line may carry is kept up to a limit.
 */

export type SseEvent = {
  /** `message` unless the event said otherwise. */
  readonly type: string;
  /** The last id the stream has given, of this event or an earlier one. */
  readonly id: string | undefined;
};

export interface SseSink {
  /**
   * A piece of the current event's data, a view into the chunk that was pushed. `type` is what the event has called itself
   * so far: a line `event:` behind the data comes too late for it.
   */
  data(piece: Uint8Array, type: string): void;
  /** The event is whole. Not called for events without data, among them the priming event of MCP 2025-11-25. */
  end(event: SseEvent): void;
  /** How long the server wants us to wait before we connect again. */
  retry?(delayMs: number): void;
}

export type SseOptions = {
  /** Bytes kept of an `event`, `id` or `retry` value; a longer one is ignored. Default 1,024. */
  readonly maxFieldBytes?: number;
};

export interface SseDecoder {
  push(chunk: Uint8Array): void;
  /** Where the stream stands: of the last event that was whole, with data or without. */
  readonly lastId: string | undefined;
  /** The stream is over. True when it broke off inside an event, which is then lost (9.2.6: it is not dispatched). */
  finish(): boolean;
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const LINE_BREAK = Uint8Array.of(LF);
const DEFAULT_TYPE = 'message';
const LONGEST_FIELD_NAME = 'event'.length;
const DEFAULT_MAX_FIELD_BYTES = 1024;

const utf8 = new TextDecoder();

/** Where the decoder stands between two bytes. */
type State =
  /** In the mark that may open the stream. */
  | 'mark'
  /** In a line's field name. */
  | 'name'
  /** Right behind the colon, where one space is dropped. */
  | 'value-start'
  /** In a value that streams on. */
  | 'data'
  /** In a value that is kept. */
  | 'field'
  /** In a comment, an unknown field, or a value that is too long. */
  | 'ignored';

/** An incremental decoder that tells `sink` what it reads. The sink may throw; the decoder is then of no further use. */
export function createSseDecoder(sink: SseSink, options: SseOptions = {}): SseDecoder {
  const maxFieldBytes = options.maxFieldBytes ?? DEFAULT_MAX_FIELD_BYTES;
  if (!(maxFieldBytes > 0)) throw new RangeError('maxFieldBytes must be positive');

  let state: State = 'mark';
  let markLength = 0;
  let lineFeedBelongsToLast = false;
  let name = '';
  let field: number[] = [];
  let type = '';
  let id: string | undefined;
  let lastId: string | undefined;
  let dataLines = 0;
  let dataBytes = 0;

  const dispatch = (): void => {
    if (dataBytes > 0) sink.end({ type: type === '' ? DEFAULT_TYPE : type, id });
    lastId = id;
    type = '';
    dataLines = 0;
    dataBytes = 0;
  };

  const emit = (piece: Uint8Array): void => {
    dataBytes += piece.length;
    sink.data(piece, type === '' ? DEFAULT_TYPE : type);
  };

  const openData = (): void => {
    dataLines += 1;
    if (dataLines > 1) emit(LINE_BREAK);
  };

  const keepField = (): void => {
    const value = utf8.decode(Uint8Array.from(field));
    if (name === 'event') type = value;
    else if (name === 'id' && !value.includes('\0')) id = value;
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) sink.retry?.(Number(value));
  };

  const endLine = (): void => {
    if (state === 'name' && name === '') dispatch();
    // A line without a colon is a field with an empty value.
    else if (state === 'name' && name === 'data') openData();
    else if (state === 'name' || state === 'value-start' || state === 'field') keepField();
    state = 'name';
    name = '';
    field = [];
  };

  const isKept = (): boolean => name === 'event' || name === 'id' || name === 'retry';

  const endName = (): void => {
    if (name === 'data') {
      openData();
      state = 'value-start';
    } else {
      state = isKept() ? 'value-start' : 'ignored';
    }
  };

  /** Takes one byte of a name, a mark or a kept value, none of them long. */
  const step = (byte: number): void => {
    if (state === 'name') {
      if (byte === COLON) endName();
      else if (name.length === LONGEST_FIELD_NAME) state = 'ignored';
      else name += String.fromCharCode(byte);
    } else if (state === 'field') {
      if (field.length === maxFieldBytes) state = 'ignored';
      else field.push(byte);
    }
  };

  /** Past the mark, as far as `chunk` has it. A mark that breaks off was none: no field name begins so. */
  const skipMark = (chunk: Uint8Array): number => {
    let index = 0;
    while (index < chunk.length && markLength < BYTE_ORDER_MARK.length) {
      if (chunk[index] !== BYTE_ORDER_MARK[markLength]) {
        state = markLength === 0 ? 'name' : 'ignored';
        return index;
      }
      markLength += 1;
      index += 1;
    }
    if (markLength === BYTE_ORDER_MARK.length) state = 'name';
    return index;
  };

  const push = (chunk: Uint8Array): void => {
    let index = state === 'mark' ? skipMark(chunk) : 0;
    if (state === 'mark') return;
    const ends = lineEnds(chunk);
    while (index < chunk.length) {
      const byte = chunk[index] ?? 0;
      const followsReturn = lineFeedBelongsToLast;
      lineFeedBelongsToLast = false;
      if (byte === LF && followsReturn) {
        index += 1;
      } else if (byte === LF || byte === CR) {
        lineFeedBelongsToLast = byte === CR;
        endLine();
        index += 1;
      } else if (state === 'value-start') {
        state = name === 'data' ? 'data' : 'field';
        if (byte === SPACE) index += 1;
      } else if (state === 'data' || state === 'ignored') {
        const end = ends(index);
        if (state === 'data') emit(chunk.subarray(index, end));
        index = end;
      } else {
        step(byte);
        index += 1;
      }
    }
  };

  return {
    push,
    get lastId() {
      return lastId;
    },
    finish: () => dataBytes > 0 || state === 'data',
  };
}

/** Finds the next line end at or after an index. Each kind of end is searched for once between two of its finds. */
function lineEnds(chunk: Uint8Array): (from: number) => number {
  let nextFeed = -1;
  let nextReturn = -1;
  const find = (byte: number, from: number): number => {
    const found = chunk.indexOf(byte, from);
    return found < 0 ? chunk.length : found;
  };
  return (from) => {
    if (nextFeed < from) nextFeed = find(LF, from);
    if (nextReturn < from) nextReturn = find(CR, from);
    return Math.min(nextFeed, nextReturn);
  };
}
