/** What keeps people from consenting to a server, as far as the configuration shows it. */

import type { Config } from '../config/config.ts';

export function consentWarnings({ servers, identity, publicUrl }: Config): readonly string[] {
  const people = servers.filter(({ auth }) => auth?.type === 'oauth').map(({ id }) => id);
  if (people.length === 0) return [];
  const of = people.length === 1 ? `the server "${people[0]}"` : `the servers ${people.join(', ')}`;
  const noLogin = identity.issuers.every(({ login }) => login === undefined);
  return [
    ...(noLogin
      ? [`People consent to ${of} in a browser, and nobody can log in there: give one of identity.issuers a login.`]
      : []),
    ...(publicUrl.startsWith('http:') && !isLoopback(publicUrl)
      ? [`Authorization servers send people of ${of} back to ${publicUrl}, which is not https: most refuse that.`]
      : []),
  ];
}

const isLoopback = (url: string): boolean => ['localhost', '127.0.0.1', '[::1]'].includes(new URL(url).hostname);
