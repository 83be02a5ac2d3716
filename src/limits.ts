import { ACCESS } from "./limits/access.ts";
import { CONTENT } from "./limits/content.ts";
import { ENGINES } from "./limits/engines.ts";
import { GIT } from "./limits/git.ts";
import { HTTP } from "./limits/http.ts";
import { LIFECYCLE } from "./limits/lifecycle.ts";
import { SINKS } from "./limits/sinks.ts";
import { STORE } from "./limits/store.ts";
import { VAULT } from "./limits/vault.ts";

/** Every bound of the engine, with its unit. A bound that is not here is not a bound: each is in the file of its room. */
export const LIMITS = {
  ...CONTENT,
  ...STORE,
  ...LIFECYCLE,
  ...ACCESS,
  ...ENGINES,
  ...VAULT,
  ...SINKS,
  ...GIT,
  ...HTTP,
} as const;
