/** A person at a browser, in code: opens the address that a client gave, fills in the log-in form, answers the question. */

export type Person = {
  readonly name: string;
  readonly password: string;
  /** Default `allow`. */
  readonly answer?: 'allow' | 'deny';
};

export type OpenOptions = {
  /** Cookies of an earlier visit, which this one adds to. Default: a new browser. */
  readonly cookies?: Map<string, string>;
};

const MAX_PAGES = 12;
const TIMEOUT_MS = 10_000;

/**
 * @returns Where the browser ends up: the client's redirect address, with a code or an error in it.
 * @throws Error with what the page said, when it leads no further.
 */
export async function openAndLogIn(
  address: URL,
  person: Person,
  { cookies = new Map() }: OpenOptions = {},
): Promise<URL> {
  let next: { readonly url: URL; readonly form?: URLSearchParams } = { url: address };
  let loggedIn = false;
  for (let pages = 0; pages < MAX_PAGES; pages += 1) {
    const answer = await visit(next.url, next.form, cookies);
    const location = answer.headers.get('location');
    if (location !== null) {
      next = { url: new URL(location, next.url) };
      if (next.url.origin !== address.origin) return next.url;
      continue;
    }
    const page = await answer.text();
    const problem = /role="alert"[^>]*>([^<]*)</.exec(page)?.[1]?.trim();
    const action = /<form method="post" action="([^"]+\/(?:login|consent))"/.exec(page)?.[1];
    if (action === undefined || (loggedIn && problem !== undefined)) {
      throw new Error(problem ?? `${next.url.origin} answered ${answer.status} and shows no form.`);
    }
    const login = action.endsWith('/login');
    loggedIn ||= login;
    const form = login ? { name: person.name, password: person.password } : { answer: person.answer ?? 'allow' };
    next = { url: new URL(action, next.url), form: new URLSearchParams(form) };
  }
  throw new Error(`${address.origin} leads from page to page.`);
}

async function visit(url: URL, form: URLSearchParams | undefined, cookies: Map<string, string>): Promise<Response> {
  const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const answer = await fetch(url, {
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { accept: 'text/html', cookie },
    ...(form === undefined ? {} : { method: 'POST', body: form }),
  });
  for (const line of answer.headers.getSetCookie()) {
    const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (value === '') cookies.delete(name);
    else cookies.set(name, value);
  }
  return answer;
}
