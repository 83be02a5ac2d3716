import { fork } from "node:child_process";
import { once } from "node:events";
import { type CryptoKey, exportJWK, generateKeyPair } from "jose";
import { childScript } from "../support/children.ts";

export const AUDIENCE = "https://env.example.com";

export interface Order {
  /** Private JSON Web Keys. */
  readonly keys?: readonly object[];
}

export interface Answer {
  readonly issuer: string;
  /** How often each path was asked for. */
  readonly requests: Readonly<Record<string, number>>;
}

export interface Key {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: object;
}

export async function makeKey(kid: string, alg = "RS256"): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(privateKey)), kid, alg, use: "sig" } };
}

export interface Wish {
  readonly audience?: string;
  readonly alg?: string;
}

export interface RunningProvider {
  readonly issuer: string;
  /** An access token that the provider makes, with these claims besides its own. */
  token(claims: Readonly<Record<string, unknown>>, wish?: Wish): Promise<string>;
  rotate(keys: readonly Key[]): Promise<void>;
  /** How often it was asked for its configuration and for its keys. */
  asked(): Promise<{ readonly discovery: number; readonly keys: number }>;
  kill(): Promise<void>;
}

/** Starts a provider of its own process. */
export async function startProvider(keys: readonly Key[]): Promise<RunningProvider> {
  const child = fork(childScript("identity/children/provider"), { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  // It warns of much that is meant here: what it said matters only where it fails.
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const exited = once(child, "exit");
  const order = async (what: Order): Promise<Answer> => {
    const answered = once(child, "message");
    child.send(what);
    const [answer] = (await Promise.race([answered, exited.then(() => Promise.reject(new Error(said)))])) as [Answer];
    return answer;
  };
  const rotate = async (rotated: readonly Key[]) => order({ keys: rotated.map(({ jwk }) => jwk) });
  const { issuer } = await rotate(keys);
  return {
    issuer,
    token: (claims, wish = {}) => requestToken(issuer, claims, wish),
    rotate: async (rotated) => void (await rotate(rotated)),
    asked: async () => {
      const { requests } = await order({});
      return { discovery: requests["/.well-known/openid-configuration"] ?? 0, keys: requests["/jwks"] ?? 0 };
    },
    kill: async () => {
      child.kill("SIGKILL");
      await exited;
    },
  };
}

async function requestToken(issuer: string, claims: Readonly<Record<string, unknown>>, wish: Wish): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: "POST",
    headers: {
      authorization: `Basic ${btoa("ada:secret-of-ada")}`,
      "x-claims": JSON.stringify(claims),
      "x-alg": wish.alg ?? "RS256",
    },
    body: new URLSearchParams({ grant_type: "client_credentials", resource: wish.audience ?? AUDIENCE }),
  });
  const answer = (await response.json()) as { access_token?: string };
  if (answer.access_token === undefined) throw new Error(`The provider made no token: ${JSON.stringify(answer)}`);
  return answer.access_token;
}
