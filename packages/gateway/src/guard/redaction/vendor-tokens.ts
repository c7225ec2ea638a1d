/**
 * Tokens that say by their first characters whose they are. A row is a kind of token: how it begins, what it is written in,
 * how long it is at least. Everything in the alphabet that follows belongs to it, so that a longer form of tomorrow is taken
 * out whole.
 */

import { looksRandom } from './randomness.ts';
import { ALNUM, BASE64, BASE64URL, DIGIT, alphabet, isIn, runEnd, type Alphabet, type Found } from './rule.ts';

type Token = {
  readonly name: string;
  /** A regular expression without groups that capture; bounded. */
  readonly prefix: string;
  readonly alphabet: Alphabet;
  /** Characters after the prefix. */
  readonly least: number;
  readonly most?: number;
  /** The prefix alone could be a word: what follows must look drawn. */
  readonly random?: true;
};

const CAPITALS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const UPPER = alphabet(`${CAPITALS}0123456789`);
const HEX = alphabet('0123456789abcdefABCDEF');
const ALL = `${CAPITALS}${CAPITALS.toLowerCase()}0123456789`;
const DOTTED = alphabet(`${ALL}-_.`);
const SLASHED = alphabet(`${ALL}/`);
const TILDE = alphabet(`${ALL}-_.~`);

/** Longer matches first where one prefix begins another. */
const TOKENS: readonly Token[] = [
  { name: 'aws-key-id', prefix: '(?:AKIA|ASIA|ABIA|ACCA)', alphabet: UPPER, least: 16, most: 16 },
  { name: 'aws-bedrock-key', prefix: 'ABSK', alphabet: BASE64, least: 80 },
  { name: 'github-token', prefix: 'gh[pousr]_', alphabet: BASE64URL, least: 20 },
  { name: 'github-token', prefix: 'github_pat_', alphabet: BASE64URL, least: 20 },
  {
    name: 'gitlab-token',
    prefix: 'gl(?:pat|ptt|dt|rt|cbt|ft|oas|soat|imt|agent|feat|ffct|wt)-',
    alphabet: DOTTED,
    least: 16,
  },
  { name: 'slack-token', prefix: 'xox[a-z](?:\\.xox[a-z])?-', alphabet: BASE64URL, least: 10 },
  { name: 'slack-token', prefix: 'xapp-', alphabet: BASE64URL, least: 10 },
  {
    name: 'slack-webhook',
    prefix: 'hooks\\.slack\\.com/(?:services|workflows|triggers)/',
    alphabet: SLASHED,
    least: 20,
  },
  { name: 'google-key', prefix: 'AIza', alphabet: BASE64URL, least: 30 },
  { name: 'google-token', prefix: 'ya29\\.', alphabet: DOTTED, least: 20 },
  { name: 'google-secret', prefix: 'GOCSPX-', alphabet: BASE64URL, least: 20 },
  { name: 'google-token', prefix: '1//0', alphabet: BASE64URL, least: 30 },
  { name: 'stripe-key', prefix: '(?:sk|rk|pk|ek)_(?:live|test)_', alphabet: BASE64URL, least: 10 },
  { name: 'stripe-key', prefix: 'whsec_', alphabet: BASE64, least: 16 },
  { name: 'anthropic-key', prefix: 'sk-ant-', alphabet: BASE64URL, least: 16 },
  { name: 'openai-key', prefix: 'sk-(?:proj|svcacct|admin|or-v1|None)-', alphabet: BASE64URL, least: 16 },
  { name: 'openai-key', prefix: '(?:sk|sess)-', alphabet: BASE64URL, least: 20, random: true },
  { name: 'npm-token', prefix: 'npm_', alphabet: ALNUM, least: 30 },
  { name: 'pypi-token', prefix: 'pypi-Ag', alphabet: BASE64URL, least: 30 },
  { name: 'azure-secret', prefix: '[A-Za-z0-9_~.-]{3}[0-9]Q~', alphabet: TILDE, least: 30 },
  { name: 'sallyport-key', prefix: 'sp_', alphabet: BASE64URL, least: 49, most: 49 },
  { name: 'hugging-face-token', prefix: '(?:hf|api_org)_', alphabet: ALNUM, least: 30 },
  { name: 'sendgrid-key', prefix: 'SG\\.', alphabet: DOTTED, least: 40 },
  { name: 'twilio-key', prefix: 'SK(?=[0-9a-f]{32})', alphabet: HEX, least: 32, most: 32 },
  { name: 'mailgun-key', prefix: 'key-(?=[0-9a-f]{32})', alphabet: HEX, least: 32, most: 32 },
  { name: 'digitalocean-token', prefix: 'do[oprt]_v1_', alphabet: HEX, least: 40 },
  { name: 'databricks-token', prefix: 'dapi(?=[0-9a-f]{32})', alphabet: BASE64URL, least: 32 },
  { name: 'vault-token', prefix: 'hv[sbr]\\.', alphabet: DOTTED, least: 20 },
  { name: 'terraform-token', prefix: '[A-Za-z0-9]{14}\\.atlasv1\\.', alphabet: BASE64URL, least: 40 },
  { name: 'doppler-token', prefix: 'dp\\.(?:pt|st|ct|sa|scim|audit)\\.', alphabet: DOTTED, least: 30 },
  { name: 'linear-key', prefix: 'lin_(?:api|oauth)_', alphabet: ALNUM, least: 30 },
  { name: 'notion-token', prefix: '(?:ntn_|secret_(?=[A-Za-z0-9]{43}))', alphabet: ALNUM, least: 40 },
  { name: 'postman-key', prefix: 'PMAK-', alphabet: BASE64URL, least: 40 },
  { name: 'shopify-token', prefix: 'shp(?:at|ca|pa|ss|ua)_', alphabet: ALNUM, least: 30 },
  { name: 'square-token', prefix: 'sq0(?:atp|csp|idp)-', alphabet: BASE64URL, least: 20 },
  { name: 'atlassian-token', prefix: 'AT(?:ATT|CTT|BB)3?', alphabet: BASE64, least: 60 },
  { name: 'figma-token', prefix: 'fig[dopu][a-z]{0,2}_', alphabet: BASE64URL, least: 36 },
  { name: 'grafana-token', prefix: 'gl(?:sa|c)_', alphabet: BASE64, least: 30 },
  { name: 'new-relic-key', prefix: 'NRA[KAL]-', alphabet: ALNUM, least: 20 },
  { name: 'planetscale-token', prefix: 'pscale_(?:tkn|oauth|pw)_', alphabet: DOTTED, least: 30 },
  { name: 'rubygems-key', prefix: 'rubygems_', alphabet: HEX, least: 40 },
  { name: 'age-key', prefix: 'AGE-SECRET-KEY-1', alphabet: UPPER, least: 50 },
  { name: 'docker-token', prefix: 'dckr_(?:pat|oat)_', alphabet: BASE64URL, least: 20 },
  { name: 'groq-key', prefix: 'gsk_', alphabet: ALNUM, least: 40 },
  { name: 'xai-key', prefix: 'xai-', alphabet: ALNUM, least: 60 },
  { name: 'replicate-token', prefix: 'r8_', alphabet: ALNUM, least: 32 },
  { name: 'perplexity-key', prefix: 'pplx-', alphabet: ALNUM, least: 40 },
  { name: 'discord-token', prefix: '[MNO][A-Za-z0-9_-]{23,27}\\.(?=[A-Za-z0-9_-]{6}\\.)', alphabet: DOTTED, least: 30 },
  {
    name: 'discord-webhook',
    prefix: 'discord(?:app)?\\.com/api/webhooks/[0-9]{15,20}/',
    alphabet: BASE64URL,
    least: 20,
  },
  { name: 'mailchimp-key', prefix: '[0-9a-f]{32}-us(?=[0-9]{1,2})', alphabet: DIGIT, least: 1, most: 2 },
  { name: 'telegram-token', prefix: '[0-9]{8,10}:AA', alphabet: BASE64URL, least: 32, most: 34 },
];

/** All prefixes in one pass; which one it was, its group says. A letter, digit or `_` before it makes it part of a word. */
const PREFIXES = new RegExp(`(?<![A-Za-z0-9_])(?:${TOKENS.map(({ prefix }) => `(${prefix})`).join('|')})`, 'g');

/** Written into a URL, a `%3D` before it is an equals sign and no part of a word. */
const AFTER_ESCAPE = /%[0-9A-Fa-f]{2}(?=(?:AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox|AIza|sk-|sk_|sp_|npm_))/g;

/** The same text with the second digit of such an escape as a character that ends words: lengths stay. */
const opened = (text: string): string => (text.includes('%') ? text.replace(AFTER_ESCAPE, '%%%') : text);

/** Finds tokens by how they begin. */
export function findVendorTokens(text: string, found: Found): void {
  const seen = opened(text);
  const runs: Runs = new Map();
  PREFIXES.lastIndex = 0;
  for (let match = PREFIXES.exec(seen); match !== null; match = PREFIXES.exec(seen)) {
    const token = TOKENS[match.findIndex((group, index) => index > 0 && group !== undefined) - 1];
    if (token === undefined) continue;
    const end = tokenEnd(token, { text: seen, from: PREFIXES.lastIndex, runs });
    if (end === undefined) continue;
    found(token.name, match.index, end);
    PREFIXES.lastIndex = end;
  }
}

/** Of each alphabet, where its run ends that was walked last: prefixes that repeat in one run must not walk it again. */
type Runs = Map<Alphabet, number>;

type Candidate = { readonly text: string; readonly from: number; readonly runs: Runs };

function tokenEnd(token: Token, { text, from, runs }: Candidate): number | undefined {
  const known = runs.get(token.alphabet) ?? 0;
  const end = known >= from ? known : runEnd(token.alphabet, text, from);
  runs.set(token.alphabet, end);
  const length = end - from;
  if (length < token.least) return undefined;
  // One more character than it can have: something else that begins alike.
  if (token.most !== undefined && (length > token.most || isIn(ALNUM, text, end))) return undefined;
  if (token.random === true && !looksRandom(text.slice(from, end))) return undefined;
  // A sentence's full stop is none of the token's.
  return text[end - 1] === '.' ? end - 1 : end;
}
