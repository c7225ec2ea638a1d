/**
 * The two parts of `oidc-provider` that are used here. Its index prints a warning on every Node that is not called "LTS",
 * which is no business of whoever starts the demo. The package is pinned, so the paths hold.
 */

declare module 'oidc-provider/lib/provider.js' {
  import Provider from 'oidc-provider';
  export { Provider };
}

declare module 'oidc-provider/lib/helpers/errors.js' {
  import { errors } from 'oidc-provider';
  export const InvalidTarget: typeof errors.InvalidTarget;
}
