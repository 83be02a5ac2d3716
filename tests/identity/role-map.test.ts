import { describe, expect, test } from "vitest";
import { parseRoleMap } from "../../src/identity/oidc.ts";

const READER = { role: "reader", projects: ["*"], envs: ["*"] };

test("reads what each value of the claim grants", () => {
  const map = parseRoleMap(
    JSON.stringify({
      "platform-admins": { role: "admin", projects: ["*"], envs: ["*"], rights: ["secrets:reveal"] },
      dev: { role: "editor", projects: ["pf-*"], envs: ["development", "preview-*"] },
      "/groups/Who Reads": { ...READER, rights: [] },
    }),
  );
  expect([...map]).toEqual([
    ["platform-admins", { role: "admin", projects: ["*"], envs: ["*"], rights: ["secrets:reveal"] }],
    ["dev", { role: "editor", projects: ["pf-*"], envs: ["development", "preview-*"], rights: [] }],
    ["/groups/Who Reads", { role: "reader", projects: ["*"], envs: ["*"], rights: [] }],
  ]);
});

test("a name that every object has is a name like any other", () => {
  const map = parseRoleMap('{"__proto__": {"role": "reader", "projects": ["*"], "envs": ["*"]}}');
  expect(map.get("__proto__")).toMatchObject({ role: "reader" });
  expect(map.get("constructor")).toBeUndefined();
});

describe("a map is refused, with what is wrong and how to mend it, where", () => {
  const dev = (grant: unknown) => JSON.stringify({ dev: grant });
  test.each<[string, string, RegExp]>([
    ["it is empty text", "", /not valid JSON .*OIDC_ROLES='\{/],
    ["it is no JSON", "{dev: reader}", /not valid JSON .*Quote it for the shell/],
    ["it is a list", "[]", /must be a JSON object with what each role grants: \{/],
    ["it is null", "null", /must be a JSON object/],
    ["it is text", '"admin"', /must be a JSON object/],
    ["it names no role", "{}", /it is empty, so that no token would be granted anything\. Name at least one role/],
    [
      "it names too many roles",
      JSON.stringify(Object.fromEntries(Array.from({ length: 1001 }, (_, n) => [n, READER]))),
      /1001 roles, and 1000/,
    ],
    ["a role has no name", JSON.stringify({ " ": READER }), /a role has no name\. Use the value/],
    ["a grant is text", dev("admin"), /"dev" must be an object such as \{"role": "reader"/],
    ["a grant is a list", dev([READER]), /"dev" must be an object such as/],
    ["a grant is null", dev(null), /"dev" must be an object such as/],
    [
      "a member is unknown",
      dev({ ...READER, project: ["*"] }),
      /"dev" has the unknown member "project"\. There are: role, projects, envs, rights/,
    ],
    [
      "there is no role",
      dev({ projects: ["*"], envs: ["*"] }),
      /"dev" has no role\. Use one of: client, reader, editor, promoter, engine, admin/,
    ],
    ["the role is unknown", dev({ ...READER, role: "owner" }), /"dev" has the unknown role "owner"\. Use one of: client/],
    ["the role is in capitals", dev({ ...READER, role: "Admin" }), /the unknown role "Admin"/],
    ["the role is a list", dev({ ...READER, role: ["admin"] }), /the unknown role \["admin"\]/],
    [
      "the rights are text",
      dev({ ...READER, rights: "secrets:reveal" }),
      /the `rights` of "dev" must be a list, such as \["secrets:reveal"\]/,
    ],
    ["the rights are null", dev({ ...READER, rights: null }), /the `rights` of "dev" must be a list/],
    ["a right is unknown", dev({ ...READER, rights: ["secrets:read"] }), /the unknown right "secrets:read"\. There are: secrets:reveal/],
    ["a right is null", dev({ ...READER, rights: [null] }), /the unknown right null/],
    [
      "a role that may not read may reveal",
      dev({ ...READER, role: "client", rights: ["secrets:reveal"] }),
      /"dev" gives "secrets:reveal" to the role "client", which may not read\. Take the right away/,
    ],
    [
      "there are no projects",
      dev({ role: "reader", envs: ["*"] }),
      /`projects` of "dev" must be a list of names.*For all of them: \["\*"\]/,
    ],
    ["there are no environments", dev({ role: "reader", projects: ["*"] }), /`envs` of "dev" must be a list of names/],
    ["the projects are text", dev({ ...READER, projects: "*" }), /`projects` of "dev" must be a list/],
    ["the environments are an empty list", dev({ ...READER, envs: [] }), /`envs` of "dev" must be a list/],
    [
      "there are too many projects",
      dev({ ...READER, projects: Array(101).fill("a") }),
      /`projects` of "dev" has 101 names, and 100 are allowed/,
    ],
    ["a pattern is a number", dev({ ...READER, projects: [777] }), /`projects` of "dev" holds 777, which is no text/],
    ["a pattern is empty", dev({ ...READER, projects: [""] }), /"dev": `projects` holds what is no pattern: ""\. Use names/],
    ["a pattern has a space", dev({ ...READER, envs: ["pre view"] }), /"dev": `envs` holds what is no pattern: "pre view"\. Use names/],
    ["a pattern has two stars in a row", dev({ ...READER, envs: ["**"] }), /`envs` holds what is no pattern/],
    ["a pattern is too long", dev({ ...READER, envs: ["a".repeat(65)] }), /`envs` holds what is no pattern/],
  ])("%s", (_what, given, why) => {
    expect(() => parseRoleMap(given)).toThrow(why);
    expect(() => parseRoleMap(given)).toThrow(/^OIDC_ROLES: .*[.}'"]$/s);
  });
});
