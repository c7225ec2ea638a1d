/**
 * Which names are those of credentials. A name is taken apart into words, and its end decides: `db_password` and
 * `clientSecret` name one, `password_policy` and `max_tokens` do not.
 */

/**
 * `secret`: whatever stands there is one. `digits`: a short number is (a PIN). `header`: the whole line is. `weak`: what looks
 * drawn is. `phone`, `ssn`, `card`: what else would only be a number.
 */
export type NameKind = 'secret' | 'digits' | 'header' | 'weak' | 'phone' | 'ssn' | 'card';

/** What a name may end in beside the word that counts. */
const NEUTRAL = new Set(
  'value values val text string str plain plaintext raw data base b64 base64 base64url hex encoded encrypted decrypted new old current previous prev confirm confirmation again repeat repeated input field prod production dev staging test primary secondary 1 2 3'.split(
    ' ',
  ),
);

const SECRET_ENDS = [
  'password passwords passwd passwort passphrase passcode pwd secret secrets token tokens credential credentials creds',
  'apikey apikeys appkey accesskey secretkey privatekey privkey signingkey signkey encryptionkey masterkey authkey',
  'accountkey sharedkey sharedaccesskey sharedaccesssignature storagekey hmackey sessionkey servicekey servicerolekey',
  'adminkey deploykey rootkey hostkey licensekey licencekey jwtkey subscriptionkey webhookkey clientkey connectionstring',
  'connstring bearer jwt authtoken sessiontoken sas htpasswd userpass kennwort motdepasse contrasena mnemonic seedphrase recoveryphrase',
]
  .join(' ')
  .split(' ');

/** Only as words of their own: as endings they are parts of others (`compass`, `spin`). */
const SECRET_WORDS = new Set(['pass', 'pw', 'psk', 'otp', 'totp', 'sig', 'creds']);
const DIGIT_WORDS = new Set(['pin', 'cvv', 'cvc', 'cvv2', 'csc']);
const HEADERS = new Set(['authorization', 'proxyauthorization', 'cookie', 'setcookie', 'cookies']);
const WEAK_ENDS = [
  'key',
  'auth',
  'authentication',
  'session',
  'sessionid',
  'sessid',
  'sid',
  'signature',
  'access',
  'salt',
  'seed',
];

/** Tokens that let nobody in: of text, of lists, of progress. */
const HARMLESS_TOKEN =
  /(?:page|next|prev|previous|continuation|continue|cursor|sync|progress|max|min|num|total|prompt|completion|input|output|used|count|stop|start|eos|bos|pad|unk|mask|sep|special|design|per|cached|reasoning|reserved|non|theme|color|parse|parser|lexer|syntax)tokens?$/;
const HARMLESS_KEY =
  /(?:public|primary|foreign|partition|sort|cache|group|row|object|s3|idempotency|i18n|translation|dictionary|map|shard|routing|dedup|deduplication)keys?$/;

const PHONE_WORDS =
  /(?:phone|phonenumber|phoneno|telephone|telephonenumber|mobile|mobilenumber|cellphone|cell|fax|faxnumber|msisdn|telefon|handynummer|tel)$/;
const SSN_WORDS = /(?:ssn|socialsecurity|socialsecuritynumber|socialsecurityno)$/;
const CARD_WORDS = /(?:cardnumber|cardno|ccnumber|ccnum|creditcard|debitcard|pan)$/;

const MAX_NAME_CHARS = 64;

/** Names repeat, in bodies as in logs: 2 us to judge one, 0.05 to remember it. */
const judged = new Map<string, NameKind | undefined>();
const MAX_JUDGED = 512;

/** Undefined for a name of nothing in particular. */
export function nameKind(name: string): NameKind | undefined {
  const end = name.slice(-MAX_NAME_CHARS);
  const known = judged.get(end);
  if (known !== undefined || judged.has(end)) return known;
  const kind = judge(end);
  const [oldest] = judged.keys();
  if (judged.size >= MAX_JUDGED && oldest !== undefined) judged.delete(oldest);
  judged.set(end, kind);
  return kind;
}

function judge(name: string): NameKind | undefined {
  const words = wordsOf(name);
  while (words.length > 1 && NEUTRAL.has(words.at(-1) ?? '')) words.pop();
  const last = words.at(-1);
  if (last === undefined) return undefined;
  const joined = words.join('');
  if (HEADERS.has(joined) || (last === 'authorization' && words.length <= 3)) return 'header';
  if (isSecret(joined, last)) return 'secret';
  if (DIGIT_WORDS.has(last)) return 'digits';
  if (WEAK_ENDS.some((end) => joined.endsWith(end)) && !HARMLESS_KEY.test(joined)) return 'weak';
  if (PHONE_WORDS.test(joined)) return 'phone';
  if (SSN_WORDS.test(joined)) return 'ssn';
  return CARD_WORDS.test(joined) ? 'card' : undefined;
}

function isSecret(joined: string, last: string): boolean {
  if (SECRET_WORDS.has(last)) return true;
  if (!SECRET_ENDS.some((end) => joined.endsWith(end))) return false;
  return !HARMLESS_TOKEN.test(joined);
}

/** `AWS_SECRET_ACCESS_KEY`, `clientSecret`, `X-Api-Key`, `--db.password`: lower-case words. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');
}
