import { createRequire } from "node:module";
import { dirname } from "node:path";
import type { Express } from "express";

/**
 * The reference for people: Swagger UI, served from its package under the same strict content security policy as everything
 * else. The package's own page shows another API; this one shows ours.
 */

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Environment Manager: API reference</title>
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="reference"></div>
    <noscript>This page needs JavaScript. The reference is also at <a href="openapi.json">openapi.json</a>.</noscript>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

const START = `SwaggerUIBundle({
  url: new URL("openapi.json", document.baseURI).href,
  dom_id: "#reference",
  deepLinking: true,
  validatorUrl: null,
  persistAuthorization: false,
  defaultModelsExpandDepth: 0,
});
`;

/** Of the package, these files and no others. */
const FILES = ["swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"] as const;

export function mountDocs(app: Express): void {
  app.get("/docs", (_request, response) => {
    response.set("cache-control", "no-cache").type("html").send(PAGE);
  });
  app.get("/docs/start.js", (_request, response) => {
    response.set("cache-control", "no-cache").type("js").send(START);
  });
  for (const file of FILES) {
    app.get(`/docs/${file}`, (_request, response) => {
      response.sendFile(file, { root: packageFolder(), maxAge: "1h", acceptRanges: false });
    });
  }
}

/** Looked up when somebody reads the reference, and not at every start. */
function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
}
