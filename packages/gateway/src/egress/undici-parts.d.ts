/**
 * The three parts of undici that are used here. Its index loads all the rest (fetch, WebSocket, caches, mocks): 13 MB
 * resident that a gateway beside one application would pay for nothing. The package is pinned, so the paths hold.
 */

declare module 'undici/lib/dispatcher/agent.js' {
  import { Agent } from 'undici';
  export default Agent;
}

declare module 'undici/lib/core/connect.js' {
  import { buildConnector } from 'undici';
  export default buildConnector;
}

declare module 'undici/lib/core/errors.js' {
  import { errors } from 'undici';
  export default errors;
}
