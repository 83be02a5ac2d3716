/** MurmurHash3, x86, 32 bits, seed 0, over UTF-8 (Austin Appleby's MurmurHash3.cpp, public domain): written for the tests alone. */
export function murmur3(text: string): number {
  const bytes = new TextEncoder().encode(text);
  const mixed = (block: number) => Math.imul(rotated(Math.imul(block, 0xcc9e2d51), 15), 0x1b873593);
  let hash = 0;
  const whole = bytes.length - (bytes.length % 4);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < whole; at += 4) {
    hash = (Math.imul(rotated(hash ^ mixed(view.getInt32(at, true)), 13), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | (bytes[at] as number);
  if (whole < bytes.length) hash ^= mixed(tail);
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** The bucket that flagd's `fractional.go` chooses: its variant, or `null` where there is none. */
export function bucketOf(text: string, buckets: readonly (readonly [variant: string, weight: number])[]): string | null {
  const weights = buckets.map(([variant, weight]) => [variant, BigInt(Math.max(0, weight))] as const);
  const total = weights.reduce((sum, [, weight]) => sum + weight, 0n);
  const bucket = (BigInt(murmur3(text)) * total) >> 32n;
  let sum = 0n;
  for (const [variant, weight] of weights) {
    sum += weight;
    if (sum > bucket) return variant;
  }
  return null;
}
