/**
 * Digests of results, as the server wrote them: whoever has the bytes can show that these were passed on. They cost 0.6 us
 * for an answer of 300 bytes and 0.65 ms for one of a megabyte, so they are the operator's choice (`audit.resultDigests`).
 */

import { createHash, hash } from 'node:crypto';

export interface ResultDigests {
  /** `sha256:<hex>` of a result that is there as a whole. */
  whole(result: Uint8Array): string;
  /** For one that is still arriving. */
  begin(): ArrivingDigest;
}

export interface ArrivingDigest {
  update(bytes: Uint8Array): void;
  /**
   * `sha256-to-end:<hex>`: from the result's first byte to the end of the message it came in, because where exactly a result
   * ends that is passed on unread is not known.
   */
  end(): string;
}

export const RESULT_DIGESTS: ResultDigests = {
  whole: (result) => `sha256:${hash('sha256', result)}`,
  begin() {
    const digest = createHash('sha256');
    return {
      update: (bytes) => void digest.update(bytes),
      end: () => `sha256-to-end:${digest.digest('hex')}`,
    };
  },
};
