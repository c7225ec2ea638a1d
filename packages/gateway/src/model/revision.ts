/**
 * The revisions of MCP and their two eras. Legacy revisions open with an `initialize` handshake; modern ones describe
 * every request in its own `_meta` (MCP 2026-07-28, basic/lifecycle).
 */

export type Era = 'legacy' | 'modern';

export const LEGACY_REVISIONS = ['2025-03-26', '2025-06-18', '2025-11-25'] as const;
export const MODERN_REVISIONS = ['2026-07-28'] as const;

export type LegacyRevision = (typeof LEGACY_REVISIONS)[number];
export type ModernRevision = (typeof MODERN_REVISIONS)[number];
export type Revision = LegacyRevision | ModernRevision;

export const NEWEST_LEGACY: LegacyRevision = '2025-11-25';
export const NEWEST_MODERN: ModernRevision = '2026-07-28';

export const isLegacyRevision = (text: string): text is LegacyRevision =>
  (LEGACY_REVISIONS as readonly string[]).includes(text);

export const isModernRevision = (text: string): text is ModernRevision =>
  (MODERN_REVISIONS as readonly string[]).includes(text);
