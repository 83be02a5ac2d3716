import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AllowList, isPublicAddress } from "../../src/engines/address.ts";
import { PublicTarget } from "../../src/engines/request.ts";
import { refusal } from "./support.ts";

/** First and last address of each special range of IPv4 (IANA's registry), and its neighbours outside. */
const SPECIAL_V4: readonly (readonly [name: string, first: string, last: string, below: string | null, above: string | null])[] = [
  ["this network", "0.0.0.0", "0.255.255.255", null, "1.0.0.0"],
  ["private 10/8", "10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"],
  ["carrier-grade NAT", "100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"],
  ["loopback", "127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"],
  ["link-local", "169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"],
  ["private 172.16/12", "172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"],
  ["IETF protocols", "192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"],
  ["documentation 1", "192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"],
  ["6to4 relays", "192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"],
  ["private 192.168/16", "192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"],
  ["benchmarks", "198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"],
  ["documentation 2", "198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"],
  ["documentation 3", "203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"],
  ["multicast", "224.0.0.0", "239.255.255.255", "223.255.255.255", null],
  ["reserved, and broadcast", "240.0.0.0", "255.255.255.255", null, null],
];

describe("an IPv4 address of a special range is not public, and its neighbours are:", () => {
  test.each(SPECIAL_V4)("%s", (_, first, last, below, above) => {
    expect([first, last].filter(isPublicAddress)).toEqual([]);
    expect([below, above].filter((neighbour) => neighbour !== null && !isPublicAddress(neighbour))).toEqual([]);
  });
});

describe("an IPv6 address is public only where it is global unicast and no tunnel:", () => {
  test.each([
    ["unspecified", "::"],
    ["loopback", "::1"],
    ["loopback, written out", "0:0:0:0:0:0:0:1"],
    ["mapped loopback", "::ffff:127.0.0.1"],
    ["mapped loopback in hexadecimal", "::ffff:7f00:1"],
    ["mapped metadata service", "::ffff:169.254.169.254"],
    ["mapped private, in capitals", "::FFFF:0A00:0001"],
    ["compatible, private", "::10.0.0.1"],
    ["compatible, public", "::8.8.8.8"],
    ["compatible, public, in hexadecimal", "::808:808"],
    ["translated (RFC 6145)", "::ffff:0:8.8.8.8"],
    ["NAT64 of loopback", "64:ff9b::127.0.0.1"],
    ["NAT64 of a private address", "64:ff9b::a00:1"],
    ["NAT64 of a network's own", "64:ff9b:1::808:808"],
    ["just above NAT64's prefix", "64:ff9b::1:808:808"],
    ["discard", "100::1"],
    ["Teredo", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
    ["benchmarks", "2001:2::1"],
    ["ORCHIDv2", "2001:20::1"],
    ["documentation", "2001:db8::1"],
    ["documentation, newer", "3fff::1"],
    ["6to4 of a private address", "2002:a00:1::1"],
    ["6to4 of a public address", "2002:808:808::1"],
    ["segment routing", "5f00::1"],
    ["not given out", "4000::1"],
    ["unique local", "fc00::1"],
    ["unique local, random", "fd12:3456:789a::1"],
    ["link-local", "fe80::1"],
    ["link-local, last", "febf:ffff::1"],
    ["site-local", "fec0::1"],
    ["multicast", "ff02::1"],
    ["with a zone id", "fe80::1%eth0"],
    ["public with a zone id", "2606:4700:4700::1111%1"],
  ])("%s is not", (_, address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each([
    "2606:4700:4700::1111",
    "2a00:1450:4001:830::200e",
    "::ffff:8.8.8.8",
    "::ffff:808:808",
    "64:ff9b::8.8.8.8",
    "64:FF9B::808:808",
  ])("%s is", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

describe("what is no address in its usual notation is not public:", () => {
  test.each([
    "",
    "8.8.8",
    "8.8.8.8 ",
    "010.8.8.8",
    "0x8.8.8.8",
    "134744072",
    "8.8.8.8/32",
    "[2606:4700::1]",
    "example.com",
    "1::2::3",
    "8.8.8.256",
  ])("%j", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe("a URL is refused for the address that it means, however that is written:", () => {
  test.each([
    "http://127.0.0.1/",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.1/",
    "http://017700000001/",
    "http://0177.0.0.01/",
    "http://127.0.0.1./",
    "http://%31%32%37.0.0.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http:127.0.0.1",
    "http:\\\\127.0.0.1\\",
    "http:///127.0.0.1/",
    "ht\ntp://127.0.\t0.1/",
    "http://0/",
    "http://0.0.0.0:8080/",
    "http://10.1.2.3/",
    "http://192.168.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::10.0.0.1]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "https://127.0.0.1/",
  ])("%j", async (url) => {
    expect((await refusal(() => new PublicTarget(url))).code).toBe("target_not_allowed");
  });

  test("every private IPv4 address, as decimal, hexadecimal, octal, in two parts, and mapped into IPv6", async () => {
    const range = fc.constantFrom(...SPECIAL_V4.map(([, first, last]) => [numberOf(first), numberOf(last)] as const));
    const inRange = range.chain(([first, last]) => fc.integer({ min: first, max: last }));
    await fc.assert(
      fc.asyncProperty(inRange, async (address) => {
        const [high, low] = [Math.floor(address / 2 ** 24), address % 2 ** 24];
        const hex = address.toString(16).padStart(8, "0");
        for (const host of [
          `${address}`,
          `0x${hex}`,
          `0${address.toString(8)}`,
          `${high}.${low}`,
          `[::ffff:${hex.slice(0, 4)}:${hex.slice(4)}]`,
        ]) {
          expect((await refusal(() => new PublicTarget(`http://${host}/`))).code, host).toBe("target_not_allowed");
        }
      }),
    );
  });

  test("but a public address in any notation is taken", () => {
    for (const host of ["8.8.8.8", "134744072", "0x08080808", "[2606:4700:4700::1111]", "[::ffff:8.8.8.8]"]) {
      expect(() => new PublicTarget(`http://${host}/`)).not.toThrow();
    }
  });
});

describe("an allow list", () => {
  test.each([
    ["10.0.0.0/8", "10.255.0.1"],
    ["10.1.2.3", "10.1.2.3"],
    ["10.1.2.3/8", "10.9.9.9"],
    ["10.0.0.0/8", "::ffff:10.0.0.1"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
    ["fd00::/8", "fd12::1"],
    ["::1", "0:0:0:0:0:0:0:1"],
    ["0.0.0.0/0", "127.0.0.1"],
    ["::/0", "::1"],
  ])("with %s has %s", (entry, address) => {
    expect(new AllowList([entry]).hasAddress(address)).toBe(true);
  });

  test.each([
    ["10.0.0.0/8", "11.0.0.0"],
    ["10.1.2.3", "10.1.2.4"],
    ["0.0.0.0/0", "::1"],
    ["::/0", "127.0.0.1"],
    ["fd00::/8", "fe80::1"],
    ["fe80::/10", "fe80::1%eth0"],
    ["hooks.internal", "10.0.0.1"],
    ["10.0.0.0/8", "hooks.internal"],
  ])("with %s does not have %s", (entry, address) => {
    expect(new AllowList([entry]).hasAddress(address)).toBe(false);
  });

  test("has host names whatever their case, dots at the end and alphabet, and no name below them", () => {
    const list = new AllowList([" Hooks.Internal ", "bücher.example", "under_score.example."]);
    const has = (host: string) => list.hasName(host);
    expect(["hooks.internal", "HOOKS.internal.", "xn--bcher-kva.example", "under_score.example"].filter((host) => !has(host))).toEqual([]);
    expect(["a.hooks.internal", "internal", "hooks.internal.evil.example", ""].filter(has)).toEqual([]);
  });

  test.each([
    "",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.1",
    "010.0.0.1",
    "::1/129",
    "::ffff:10.0.0.0/104",
    "::ffff:10.0.0.0/24",
    "64:ff9b::/16",
    "*.internal",
    "hooks.internal:8080",
    "a@b",
    "a/b",
    "http://a",
    "a b",
  ])("refuses the entry %j", async (entry) => {
    expect((await refusal(() => new AllowList([entry]))).code).toBe("invalid_request");
  });
});

function numberOf(address: string): number {
  return address.split(".").reduce((number, part) => number * 256 + Number(part), 0);
}
