import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { AllowList } from "../../src/engines/address.ts";
import { packageRoot } from "../../src/package.ts";
import { childScript } from "../support/children.ts";
import { selfSigned } from "./certificate.ts";
import { askPublic, engineAt, later, listen, refusal, serve } from "./support.ts";

afterEach(() => vi.unstubAllEnvs());

const GET = { method: "GET" } as const;
const options = { allow: new AllowList(["127.0.0.1"]), lookup: async () => ["127.0.0.1"] };

async function serveTls() {
  const { key, cert } = selfSigned("hooks.example");
  const hits: string[] = [];
  const server = createServer({ key, cert }, (request, response) => {
    hits.push(request.url ?? "");
    response.end(`told ${(request.socket as TLSSocket & { servername: string }).servername}`);
  });
  return { ...(await listen(server)), hits, cert };
}

test.each([undefined, "0"])("a certificate that nobody vouches for is refused, with NODE_TLS_REJECT_UNAUTHORIZED=%s", async (value) => {
  if (value !== undefined) vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", value);
  const { port, hits } = await serveTls();
  const reasons = await Promise.all([
    refusal(askPublic(`https://hooks.example:${port}/`, GET, options)),
    refusal(engineAt(`https://127.0.0.1:${port}/`).request([], GET)),
  ]);
  expect(reasons.map(({ message, details }) => [message, details?.failure])).toEqual([
    ['The host "hooks.example" cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT).', "unreachable"],
    ["The Test engine cannot be reached (DEPTH_ZERO_SELF_SIGNED_CERT).", "unreachable"],
  ]);
  expect(hits).toEqual([]);
});

test("the certificate is verified for the URL's host name, though the connection goes to an address", async () => {
  const { port, hits, cert } = await serveTls();
  const folder = mkdtempSync(join(tmpdir(), "env-manager-tls-"));
  later(async () => rmSync(folder, { recursive: true }));
  const trusted = join(folder, "cert.pem");
  writeFileSync(trusted, cert);
  const urls = [`https://hooks.example:${port}/right`, `https://other.example:${port}/wrong`];
  const { stdout } = await promisify(execFile)(process.execPath, [childScript("engines/tls-client"), ...urls], {
    cwd: packageRoot(),
    env: { ...process.env, NODE_EXTRA_CA_CERTS: trusted },
  });
  expect(JSON.parse(stdout)).toEqual(["told hooks.example", 'The host "other.example" cannot be reached (ERR_TLS_CERT_ALTNAME_INVALID).']);
  expect(hits).toEqual(["/right"]);
});

test("a server that speaks plain HTTP where TLS is expected is unreachable", async () => {
  const { port, hits } = await serve((_, response) => response.end());
  const error = await refusal(engineAt(`https://127.0.0.1:${port}`).request([], GET));
  expect(error.details).toEqual({ failure: "unreachable" });
  expect(hits).toEqual([]);
});
