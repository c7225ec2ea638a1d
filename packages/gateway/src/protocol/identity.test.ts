import { expect, it } from 'vitest';

import packageJson from '../../package.json' with { type: 'json' };
import { SALLYPORT } from './identity.ts';

it('We say the version that the package has', () => {
  expect(SALLYPORT.version).toBe(packageJson.version);
});
