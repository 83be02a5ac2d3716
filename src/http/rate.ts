import { isIPv4, isIPv6 } from "node:net";
import ipaddr from "ipaddr.js";
import { LIMITS } from "../limits.ts";

interface Rate {
  /** What one key may do in a second, in the long run. A whole number. */
  readonly perSecond: number;
  /** What one key may do at once, after a time without anything. A whole number, at least 1. */
  readonly burst: number;
}

/** What one request costs, in the unit of `RateLimiter`. */
const COST = 1_000;

/**
 * How often each key may do something. This is the generic cell rate algorithm, in its form as virtual scheduling (ITU-T
 * Recommendation I.371, Annex A): of each key it keeps only the moment at which its allowance will be whole again.
 *
 * Moments are whole milliseconds times `perSecond`, in which one request costs 1,000 whatever the rate: everything is a
 * whole number, so that a burst is exactly as large as it says.
 *
 * Keys are kept in two generations. When the younger is half of what may be kept, or older than a whole burst takes to come
 * back, it becomes the elder, and the elder is dropped as one. What is dropped for its age has its allowance back anyway.
 * What is dropped for room has not been used since half of `rateKeys` other keys were: it gains one burst, and whoever means
 * to make that happen needs all those other keys, each with a burst of its own. So keys must be something that one cannot make
 * up: a token that was found valid, the address of a connection, and never what a header says.
 *
 * @example
 * const limiter = new RateLimiter({ perSecond: 10, burst: 20 });
 * const seconds = limiter.take(addressKey("203.0.113.7"));
 * // 0: go on. Else 429 with `Retry-After: <seconds>`.
 */
export class RateLimiter {
  readonly #perSecond: number;
  /** How far ahead of now a key may be and still go on. */
  readonly #tolerance: number;
  readonly #generationKeys: number;
  #younger = new Map<string, number>();
  #elder = new Map<string, number>();
  /** When the younger generation began. */
  #since = 0;

  constructor({ perSecond, burst }: Rate, keys: number = LIMITS.rateKeys) {
    this.#perSecond = perSecond;
    this.#tolerance = (burst - 1) * COST;
    this.#generationKeys = Math.max(1, Math.floor(keys / 2));
  }

  /** Keys that are kept. */
  get size(): number {
    return this.#younger.size + this.#elder.size;
  }

  /**
   * Counts one request of `key`, where it may go on. A refused one costs nothing.
   * @param now milliseconds of a clock that never goes back
   * @returns 0 where it may go on, else the whole seconds (at least 1) after which it may
   */
  take(key: string, now: number = performance.now()): number {
    const at = Math.floor(now) * this.#perSecond;
    const whole = Math.max(at, this.#younger.get(key) ?? this.#elder.get(key) ?? at);
    const over = whole - at - this.#tolerance;
    this.#keep(key, over > 0 ? whole : whole + COST, at);
    return over > 0 ? Math.ceil(over / COST / this.#perSecond) : 0;
  }

  /** Whether a request of `key` may go on: counts nothing. */
  admits(key: string, now: number): boolean {
    const at = Math.floor(now) * this.#perSecond;
    return (this.#younger.get(key) ?? this.#elder.get(key) ?? at) - at <= this.#tolerance;
  }

  #keep(key: string, whole: number, at: number): void {
    const full = this.#younger.size >= this.#generationKeys && !this.#younger.has(key);
    if (full || at - this.#since > this.#tolerance + COST) {
      this.#elder = this.#younger;
      this.#younger = new Map();
      this.#since = at;
    }
    this.#younger.set(key, whole);
  }
}

/**
 * Whom an address stands for: an IPv4 address for itself, however it is written, an IPv6 address for its /64, which is the
 * least that a network gives one customer. What is no address stands with everything else that is none.
 */
export function addressKey(ip: string): string {
  if (isIPv4(ip)) return ip;
  if (!isIPv6(ip)) return "unknown";
  const address = ipaddr.process(ip);
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  return `${address.parts
    .slice(0, 4)
    .map((part) => part.toString(16))
    .join(":")}::/64`;
}
