import { createHash } from "node:crypto";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { deflateSync } from "node:zlib";
import { onTestFinished } from "vitest";

/** As many bytes as one instruction of a delta copies at most. */
const BASE = Buffer.alloc(2 ** 24 - 1);

/** A repository of a few kilobytes, one of whose files is a delta that takes `size` bytes, for one test. @returns its address */
export async function deltaBomb(size: number): Promise<string> {
  const base = oid("blob", BASE);
  const tree = Buffer.concat([Buffer.from("100644 large\0"), oidOfZeros(size), Buffer.from("100644 small\0"), base]);
  const who = "Mallory <mallory@example.com> 1700000000 +0000";
  const commit = Buffer.from(`tree ${oid("tree", tree).toString("hex")}\nauthor ${who}\ncommitter ${who}\n\nSmall\n`);
  const count = Buffer.from([0, 0, 0, 4]);
  const objects = [entry(1, commit), entry(2, tree), entry(3, BASE), entry(7, deltaOf(size), base)];
  const body = Buffer.concat([Buffer.from("PACK"), Buffer.from([0, 0, 0, 2]), count, ...objects]);
  return serve(oid("commit", commit).toString("hex"), Buffer.concat([body, sha1(body)]));
}

async function serve(tip: string, pack: Buffer): Promise<string> {
  const refs = [line("# service=git-upload-pack\n"), "0000", line(`${tip} refs/heads/main\0ofs-delta\n`), "0000"].join("");
  const server = createServer((request, response) => {
    const isRefs = request.url?.includes("/info/refs") === true;
    response.setHeader("content-type", `application/x-git-upload-pack-${isRefs ? "advertisement" : "result"}`);
    request.resume().once("end", () => response.end(isRefs ? refs : Buffer.concat([Buffer.from(line("NAK\n")), pack])));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/repository.git`;
}

/** https://git-scm.com/docs/protocol-common */
function line(text: string): string {
  return (text.length + 4).toString(16).padStart(4, "0") + text;
}

/** https://git-scm.com/docs/gitformat-pack */
function entry(type: number, content: Buffer, base: Buffer = Buffer.alloc(0)): Buffer {
  const size = [(type << 4) | (content.length % 16), ...varint(Math.floor(content.length / 16))];
  if (content.length >= 16) size[0] = (size[0] ?? 0) | 0x80;
  return Buffer.concat([Buffer.from(content.length >= 16 ? size : size.slice(0, 1)), base, deflateSync(content)]);
}

/** Copies the base again and again. */
function deltaOf(size: number): Buffer {
  const copies: number[] = [];
  for (let left = size; left > 0; left -= BASE.length) {
    const bytes = Math.min(left, BASE.length);
    copies.push(0xf0, bytes & 0xff, (bytes >> 8) & 0xff, bytes >> 16);
  }
  return Buffer.from([...varint(BASE.length), ...varint(size), ...copies]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
}

function oid(type: string, content: Buffer): Buffer {
  return sha1(Buffer.from(`${type} ${content.length}\0`), content);
}

function oidOfZeros(size: number): Buffer {
  const hash = createHash("sha1").update(`blob ${size}\0`);
  for (let left = size; left > 0; left -= BASE.length) hash.update(BASE.subarray(0, left));
  return hash.digest();
}

function sha1(...pieces: readonly Buffer[]): Buffer {
  const hash = createHash("sha1");
  for (const piece of pieces) hash.update(piece);
  return hash.digest();
}
