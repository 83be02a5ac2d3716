import { isObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Fetch, fetchText } from "./fetch-text.ts";

/** Where an identity provider keeps its keys: https://openid.net/specs/openid-connect-discovery-1_0.html */

export interface Provider {
  readonly issuer: string;
  readonly fetch: Fetch;
  readonly timeoutMs: number;
}

/** @throws Error, which says what an issuer has to be */
export function checkIssuer(issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : null;
  // Before anything that repeats it: what is refused here may be a password.
  if (url !== null && (url.username !== "" || url.password !== "" || /[?#]/.test(issuer))) {
    throw new Error(`The issuer "${url.origin}${url.pathname}" must be a URL without user, password, query and fragment.`);
  }
  if (url === null || !isTrusted(url, true)) {
    throw new Error(
      `The issuer "${issuer}" must be an https URL, or an http URL on a loopback host: \`https://id.example.com/realms/main\`.`,
    );
  }
}

/** Asks the issuer where its keys are. @throws Error, which says why there is no answer that can be trusted */
export async function discoverKeySet({ issuer, fetch, timeoutMs }: Provider): Promise<string> {
  const address = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const document = asObject(await fetchText(fetch, address, { bytes: LIMITS.discoveryBytes, timeoutMs }));
  if (document === null) throw new Error(`${address}: its answer is not a JSON object.`);
  if (document.issuer !== issuer) {
    throw new Error(`${address}: it speaks for another issuer than ${issuer}. Every character counts, a slash at the end too.`);
  }
  const uri = document.jwks_uri;
  const url = typeof uri === "string" && URL.canParse(uri) ? new URL(uri) : null;
  if (url === null || !isTrusted(url, new URL(issuer).protocol === "http:")) {
    throw new Error(`${address}: its \`jwks_uri\` is not an https URL.`);
  }
  return url.href;
}

/** Whoever listens between could put their own keys in place of the issuer's, unless nobody is between. */
function isTrusted({ protocol, hostname }: URL, loopbackToo: boolean): boolean {
  if (protocol === "https:") return true;
  const isLoopback = hostname === "localhost" || hostname === "[::1]" || /^127\.\d+\.\d+\.\d+$/.test(hostname);
  return protocol === "http:" && loopbackToo && isLoopback;
}

function asObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}
