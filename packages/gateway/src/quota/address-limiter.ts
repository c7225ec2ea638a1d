/** A limit per network address. */

import { addressKey } from './address-key.ts';
import { createKeyedLimiter, type KeyedLimiter, type KeyedLimiterOptions } from './keyed-limiter.ts';

/** Like {@link createKeyedLimiter}, for addresses: a whole IPv6 network of one host counts as one. */
export function createAddressLimiter(options: KeyedLimiterOptions): KeyedLimiter {
  const limiter = createKeyedLimiter(options);
  return {
    allow: (address) => limiter.allow(addressKey(address)),
    giveBack: (address) => limiter.giveBack(addressKey(address)),
  };
}
