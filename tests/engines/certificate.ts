import { generateKeyPairSync, sign } from "node:crypto";

/** A self-signed certificate for one host name, made anew: a key that is kept in a repository is one that a scanner finds. */
export function selfSigned(host: string): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const issuer = sequence(set(sequence(objectId("550403"), tagged(0x0c, Buffer.from(host)))));
  // X.509, RFC 5280: subjectAltName with one dNSName.
  const names = sequence(objectId("551d11"), octets(sequence(tagged(0x82, Buffer.from(host)))));
  const body = sequence(
    tagged(0xa0, integer(2)),
    integer(1),
    ECDSA_WITH_SHA256,
    issuer,
    sequence(utcTime("200101000000Z"), tagged(0x18, Buffer.from("21200101000000Z"))),
    issuer,
    publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(names)),
  );
  const signature = tagged(0x03, Buffer.concat([Buffer.of(0), sign("sha256", body, privateKey)]));
  const der = sequence(body, ECDSA_WITH_SHA256, signature);
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  const cert = ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(), cert };
}

function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag, ...lengthOf(content.length)), content]);
}

function lengthOf(bytes: number): readonly number[] {
  if (bytes < 0x80) return [bytes];
  return bytes < 0x100 ? [0x81, bytes] : [0x82, bytes >> 8, bytes & 0xff];
}

const sequence = (...parts: readonly Buffer[]) => tagged(0x30, Buffer.concat(parts));
const set = (...parts: readonly Buffer[]) => tagged(0x31, Buffer.concat(parts));
const objectId = (hex: string) => tagged(0x06, Buffer.from(hex, "hex"));
const octets = (content: Buffer) => tagged(0x04, content);
const integer = (value: number) => tagged(0x02, Buffer.of(value));
const utcTime = (text: string) => tagged(0x17, Buffer.from(text));
const ECDSA_WITH_SHA256 = sequence(objectId("2a8648ce3d040302"));
