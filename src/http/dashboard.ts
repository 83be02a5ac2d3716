import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Express, Request, Response } from "express";
import { AppError } from "../errors.ts";
import { packageRoot } from "../package.ts";

/**
 * The dashboard: files that the build made, under the same strict content security policy as everything else. What it shows it
 * reads through the API like everybody, with the session's cookie.
 */

/** Every address that a page of the dashboard has: the page itself finds out which. */
const PAGES = ["/", "/login", "/settings", "/projects{/*page}"];

/** Files' names hold a hash of what is in them; nothing else is asked for by name. */
const ASSET = /^[A-Za-z0-9_.-]+\.(?:js|css|svg|woff2)$/;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  woff2: "font/woff2",
};

/** A year: another content has another name. */
const FOREVER = "public, max-age=31536000, immutable";

export function mountDashboard(app: Express): void {
  const folder = join(packageRoot(), "dist/web");
  app.get(PAGES, (request, response) => send(request, response, join(folder, "index.html"), "no-cache"));
  app.get("/favicon.svg", (request, response) => send(request, response, join(folder, "favicon.svg"), "public, max-age=86400"));
  app.get("/assets/:file", async (request, response) => {
    const { file } = request.params;
    if (!ASSET.test(file)) throw new AppError("route_not_found");
    await send(request, response, join(folder, "assets", file), FOREVER);
  });
}

async function send(request: Request, response: Response, file: string, cacheControl: string): Promise<void> {
  const packed = acceptsGzip(request.headers["accept-encoding"]) ? await found(`${file}.gz`) : null;
  const content = packed ?? (await found(file));
  if (content === null) throw notBuilt(file);
  response.set("content-type", TYPES[file.slice(file.lastIndexOf(".") + 1)] ?? "application/octet-stream");
  response.set({ "cache-control": cacheControl, vary: "accept-encoding" });
  if (packed !== null) response.set("content-encoding", "gzip");
  response.end(content);
}

async function found(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

function acceptsGzip(header = ""): boolean {
  return header.split(",").some((coding) => {
    const [name = "", ...parameters] = coding.split(";").map((part) => part.trim().toLowerCase());
    return (name === "gzip" || name === "*") && !parameters.some((parameter) => /^q=0(?:\.0{0,3})?$/.test(parameter));
  });
}

function notBuilt(file: string): AppError {
  if (basename(file) !== "index.html") return new AppError("route_not_found");
  return new AppError("route_not_found", {
    reason: "The dashboard was not built.",
    fix: "Run `npm run build` where the engine is installed, and load the page again. The API works without it.",
  });
}
