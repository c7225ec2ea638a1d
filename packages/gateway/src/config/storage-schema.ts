/** The setting `storage.url`. */

import * as z from 'zod';

import type { StorageConfig } from './config.ts';
import { parseStorageUrl, STORAGE_URL } from './storage-url.ts';

export const storageUrl = z
  .string()
  .meta({ pattern: STORAGE_URL.source })
  .transform((text, context): StorageConfig => {
    const parsed = parseStorageUrl(text);
    if (parsed.ok) return parsed.value;
    // The text is not quoted: whoever misspells a URL has not left out its password.
    context.addIssue({ code: 'custom', message: parsed.error });
    return z.NEVER;
  });
