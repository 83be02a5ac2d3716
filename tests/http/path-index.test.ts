import { expect, test } from "vitest";
import { PathIndex } from "../../src/http/path-index.ts";

const index = new PathIndex(
  ["/env", "/env/create", "/env/:project", "/env/:project/:env/state", "/env/:project/versions/:version", "/tokens/:id"].map(
    (path) => [path, path] as const,
  ),
);

test.each([
  ["/env", "/env", {}],
  ["/env/create", "/env/create", {}],
  ["/env/pf-777", "/env/:project", { project: "pf-777" }],
  ["/env/pf-777/staging/state", "/env/:project/:env/state", { project: "pf-777", env: "staging" }],
  ["/env/pf-777/versions/state", "/env/:project/versions/:version", { project: "pf-777", version: "state" }],
  ["/tokens/__proto__", "/tokens/:id", { id: "__proto__" }],
])("%s is found as %s", (path, found, params) => {
  expect(index.find(path)).toEqual({ found, params });
});

test.each(["", "/", "/ENV", "/env/", "//env", "/env//staging/state", "/env/pf-777/staging", "/env/create/staging/state", "/nothing"])(
  "at %o nothing is found",
  (path) => {
    expect(index.find(path)).toBeNull();
  },
);
