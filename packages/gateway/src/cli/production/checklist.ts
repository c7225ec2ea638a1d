/** The deployment checklist: ten rows, in the order in which people know them. */

import { authentication, authorization, credentialRotation, inputValidation, rateLimiting } from './access-rows.ts';
import type { ProductionFacts } from './facts.ts';
import { judgeRow, type JudgedRow, type Row } from './row.ts';
import { backupPlan, gracefulShutdown, healthChecks, logging, monitoring } from './running-rows.ts';

export const ROWS: readonly Row[] = [
  authentication,
  authorization,
  credentialRotation,
  monitoring,
  logging,
  rateLimiting,
  inputValidation,
  gracefulShutdown,
  healthChecks,
  backupPlan,
];

export const judge = (facts: ProductionFacts): readonly JudgedRow[] => ROWS.map((row) => judgeRow(row, facts));
