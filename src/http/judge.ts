import type { ServerResponse } from "node:http";
import type { Settings } from "../settings.ts";
import type { Asked } from "./asked.ts";
import { checkAddress, type Rates } from "./auth.ts";
import type { Cors } from "./cors.ts";
import { checkHost, checkOrigin, isHostGuarded, setSecurityHeaders } from "./guards.ts";
import { requestIdFor } from "./ready-reply.ts";

/**
 * What is true of every request, whatever it asks for: gives it its id and its headers, and refuses whoever comes too often, or by a name
 * or from a page that is not known.
 * @returns whether it goes on to a route; where not, it is answered
 * @throws too_many_requests, host_not_allowed, origin_not_allowed
 */
export type Judge = (request: Asked, response: ServerResponse) => boolean;

export function judgeOf(settings: Pick<Settings, "host" | "allowedHosts">, { perAddress }: Rates, cors: Cors, isOpen: boolean): Judge {
  const { allowedHosts } = settings;
  const isGuarded = isHostGuarded(settings, isOpen);
  return (request, response) => {
    const given = request.headers["x-request-id"];
    response.setHeader("x-request-id", requestIdFor(typeof given === "string" ? given : undefined));
    setSecurityHeaders(response, request.secure);
    // Before anything is refused, so that a page gets to see why.
    if (cors.apply(request, response)) return false;
    checkAddress(perAddress, request);
    if (isGuarded) checkHost(request, allowedHosts);
    if (!cors.allows(request)) checkOrigin(request, allowedHosts);
    return true;
  };
}
