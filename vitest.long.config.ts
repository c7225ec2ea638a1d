/** The long tests: soak, fault injection, whatever takes more than a few seconds. `npm run test:long`. */

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/long/**/*.test.ts', 'packages/*/src/**/*.long.ts'],
    exclude: ['**/node_modules/**'],
    testTimeout: 300_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    passWithNoTests: true,
  },
});
