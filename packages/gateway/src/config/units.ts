/** Quantities as operators write them: `30s`, `4MiB`, `600/minute`, `127.0.0.1:8080`. Each parser says what it wanted. */

import { err, ok } from '../model/result.ts';
import type { Result } from '../model/result.ts';
import type { ListenAddress } from './config.ts';

const DURATIONS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const SIZES_BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1000,
  MB: 1_000_000,
  GB: 1_000_000_000,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

type Period = { readonly name: string; readonly ms: number };

const SECOND: Period = { name: 'second', ms: 1000 };
const MINUTE: Period = { name: 'minute', ms: 60_000 };
const HOUR: Period = { name: 'hour', ms: 3_600_000 };
const DAY: Period = { name: 'day', ms: 86_400_000 };

const PERIODS: Readonly<Record<string, Period>> = {
  s: SECOND,
  second: SECOND,
  m: MINUTE,
  minute: MINUTE,
  h: HOUR,
  hour: HOUR,
  d: DAY,
  day: DAY,
};

/** So many in a period; `text` is for people, with the period written out. */
export type ParsedRate = { readonly count: number; readonly periodMs: number; readonly text: string };

/** What the patterns accept is also the JSON Schema that editors check with. */
export const DURATION = /^\d+(?:\.\d+)?(?:ms|s|m|h|d)$/;
export const SIZE = /^\d+(?:\.\d+)?(?:B|KB|MB|GB|KiB|MiB|GiB)$/;
export const RATE = /^\d{1,9}\/(?:s|second|m|minute|h|hour|d|day)$/;

/** What a timer can wait at most: 24 days. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** `1.5s` to 1500. */
export function parseDurationMs(text: string): Result<number, string> {
  const duration = quantity(text, DURATION, DURATIONS_MS, 'a duration such as 500ms, 30s, 2m or 1h');
  return duration.ok && duration.value > MAX_DURATION_MS ? err('is longer than 24 days') : duration;
}

/** How long something is kept, or ago: no timer waits for it, so that it may be years. */
export function parsePeriodMs(text: string): Result<number, string> {
  return quantity(text, DURATION, DURATIONS_MS, 'a time such as 12h, 30d or 400d');
}

/** `4MiB` to 4194304. */
export function parseSizeBytes(text: string): Result<number, string> {
  return quantity(text, SIZE, SIZES_BYTES, 'a size such as 64KiB, 4MiB or 10MB');
}

/** `600/m` to 600 in 60000 ms. */
export function parseRate(text: string): Result<ParsedRate, string> {
  const wanted = 'is not a rate such as 10/second, 600/minute or 5000/hour';
  const [digits = '', unit = ''] = RATE.test(text) ? text.split('/') : [];
  const count = Number(digits);
  const period = PERIODS[unit];
  if (period === undefined || count < 1) return err(wanted);
  return ok({ count, periodMs: period.ms, text: `${count}/${period.name}` });
}

/** `127.0.0.1:8080`, `[::1]:8080`, `gateway.internal:8080`, `:8080` (every address) or a bare port (loopback). */
export function parseListenAddress(text: string): Result<ListenAddress, string> {
  const match = /^(?:(?<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]*):)?(?<port>\d{1,5})$/.exec(text);
  const port = Number(match?.groups?.['port']);
  if (match === null || port > 65_535) {
    return err('is not an address such as 127.0.0.1:8080, [::1]:8080 or :8080');
  }
  const host = match.groups?.['host'];
  if (host === undefined) return ok({ host: '127.0.0.1', port });
  if (host === '') return ok({ host: '::', port });
  return ok({ host: host.replace(/^\[|\]$/g, ''), port });
}

/** The address as it stands in a URL. */
export function urlHost(address: ListenAddress): string {
  const anywhere = address.host === '::' || address.host === '0.0.0.0';
  const host = anywhere ? '127.0.0.1' : address.host;
  return `${host.includes(':') ? `[${host}]` : host}:${address.port}`;
}

function quantity(
  text: string,
  pattern: RegExp,
  units: Readonly<Record<string, number>>,
  wanted: string,
): Result<number, string> {
  const unit = /[A-Za-z]+$/.exec(text)?.[0] ?? '';
  const factor = units[unit];
  if (!pattern.test(text) || factor === undefined) return err(`is not ${wanted}`);
  const value = Math.round(Number(text.slice(0, -unit.length)) * factor);
  return Number.isSafeInteger(value) && value > 0 ? ok(value) : err(`is not ${wanted}`);
}
