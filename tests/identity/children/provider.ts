import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import Provider, { type Context } from "oidc-provider";
import type { Answer, Order } from "../provider.ts";

/**
 * A real identity provider. Orders come from the parent process: `keys` starts it, and rotates its keys later; `requests` asks how often
 * each path was asked for. A client of any test says in headers what its token is to hold, and by what algorithm it is to be signed.
 */
let listener: RequestListener | null = null;
const requests: Record<string, number> = {};

const server = createServer((request, response) => {
  const path = request.url ?? "";
  requests[path] = (requests[path] ?? 0) + 1;
  listener?.(request, response);
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

process.on("message", (order: Order) => {
  if (order.keys !== undefined) listener = providerWith(order.keys).callback();
  const answer: Answer = { issuer, requests };
  process.send?.(answer);
});
// Not to outlive a test run that was killed.
process.on("disconnect", () => process.exit());

function providerWith(keys: readonly object[]): Provider {
  return new Provider(issuer, {
    jwks: { keys },
    clients: [
      { client_id: "ada", client_secret: "secret-of-ada", grant_types: ["client_credentials"], redirect_uris: [], response_types: [] },
    ],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (context: Context, resource: string) => ({
          scope: "",
          audience: resource,
          accessTokenTTL: 600,
          accessTokenFormat: "jwt",
          jwt: { sign: { alg: context.get("x-alg") || "RS256" } },
        }),
      },
    },
    extraTokenClaims: (context) => JSON.parse(context.get("x-claims") || "{}") as Record<string, unknown>,
  });
}
