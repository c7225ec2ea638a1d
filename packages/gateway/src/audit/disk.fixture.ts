/** A disk whose faults a test chooses: full, slow, or taking little at a time. */

import { auditFiles, openAppendFile, type AuditFiles } from './append-file.ts';
import type { AppendFile } from './batch-writer.ts';

export type Disk = { full: boolean; hang: Promise<void> | undefined; most: number };

export const goodDisk = (): Disk => ({ full: false, hang: undefined, most: Infinity });

/** Files whose path `isHere` says are on the disk; others are on a good one. */
export function filesOn(disk: Disk, isHere: (path: string) => boolean = () => true): AuditFiles {
  return { ...auditFiles, open: async (path) => (isHere(path) ? faulty(disk, path) : openAppendFile(path)) };
}

async function faulty(disk: Disk, path: string): Promise<AppendFile> {
  const file = await openAppendFile(path);
  return {
    ...file,
    write: (bytes) => {
      if (disk.full) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      return file.write(bytes.subarray(0, disk.most));
    },
    sync: async () => {
      await disk.hang;
      await file.sync();
    },
  };
}
