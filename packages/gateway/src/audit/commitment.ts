/**
 * What the record says of a body instead of the body: SHA-256 over a random salt and the body's bytes. Who has both can
 * show that this was the body; once they are erased, nobody can find out by trying what it was.
 */

import { createHash } from 'node:crypto';

import type { StoredBody } from './body-store.ts';

export const SALT_BYTES = 16;

export function commitmentOf({ salt, content }: Pick<StoredBody, 'salt' | 'content'>): string {
  return `sha256-salted:${createHash('sha256').update(Buffer.from(salt, 'hex')).update(content, 'utf8').digest('hex')}`;
}
