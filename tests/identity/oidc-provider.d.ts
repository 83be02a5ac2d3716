/** The part of `oidc-provider`, which brings no types, that the child process uses. */
declare module "oidc-provider" {
  import type { RequestListener } from "node:http";

  export interface Context {
    get(header: string): string;
  }

  export interface Configuration {
    readonly clients: readonly Readonly<Record<string, unknown>>[];
    readonly jwks: { readonly keys: readonly object[] };
    readonly features: Readonly<Record<string, { readonly enabled: boolean; readonly [option: string]: unknown }>>;
    readonly extraTokenClaims: (context: Context) => Readonly<Record<string, unknown>> | undefined;
  }

  export default class Provider {
    constructor(issuer: string, configuration: Configuration);
    callback(): RequestListener;
  }
}
