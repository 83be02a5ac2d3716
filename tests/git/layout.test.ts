import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  CONFIG_FILES,
  type Content,
  componentPaths,
  configText,
  contentOf,
  type Files,
  REQUIRES,
  REQUIRES_FILE,
  requiresText,
  roleOf,
} from "../../src/git/layout.ts";
import { prettyJson } from "../../src/git/pretty-json.ts";
import { canonicalJson } from "../../src/merkle/index.ts";
import type { Json } from "../../src/ports.ts";

const json = fc.jsonValue({ maxDepth: 3 }).map((value) => JSON.parse(JSON.stringify(value)) as Json);
const entries = (...prefixes: string[]) =>
  fc
    .array(fc.tuple(fc.constantFrom(...prefixes), fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }), json), { maxLength: 12 })
    .map((list) => new Map(list.map(([prefix, name, value]): [string, Json] => [`${prefix}/${name}`, value])));

const content: fc.Arbitrary<Content> = fc.record({
  platform: entries("flows", "Flows", "con", "pages", "requires"),
  config: entries("vars", "secrets", "flags", "evaluators", "flag_metadata"),
});

const small = (platform: Record<string, Json>, config: Record<string, Json> = {}): Content => ({
  platform: new Map(Object.entries(platform)),
  config: new Map(Object.entries(config)),
});

/** All files of an environment, by path. */
function filesOf({ platform, config }: Content): Files {
  const components = [...platform].filter(([name]) => !name.startsWith(REQUIRES));
  const paths = componentPaths(components.map(([name]) => name));
  return new Map([
    ...components.map(([name, value]): [string, string] => [paths.get(name) ?? "", prettyJson(value)]),
    [REQUIRES_FILE, requiresText(platform)],
    ...Object.keys(CONFIG_FILES).map((path): [string, string] => [path, configText(path, config)]),
  ]);
}

describe("an environment as files:", () => {
  test("whatever it holds, it is read back as it was", () => {
    fc.assert(
      fc.property(content, (given) => {
        const back = contentOf(filesOf(given));
        expect(sorted(back.platform)).toEqual(sorted(given.platform));
        expect(sorted(back.config)).toEqual(sorted(given.config));
      }),
      { numRuns: 500 },
    );
  });

  test("no two files share a path, not even where letter case does not count", () => {
    fc.assert(
      fc.property(content, (given) => {
        const paths = [...filesOf(given).keys()].map((path) => path.toLowerCase());
        expect(new Set(paths).size).toBe(paths.length);
      }),
      { numRuns: 500 },
    );
  });

  test("each part has its file, canonical and pretty-printed", () => {
    const files = filesOf(
      small(
        { "flows/onboarding": { steps: [2, 1], name: "é" }, "entities/Notification": {}, "requires/API_KEY": { kind: "secret" } },
        {
          "vars/B": "2",
          "vars/A": "1",
          "secrets/API_KEY": { vault: "staging/API_KEY@k3" },
          "flags/beta": { state: "ENABLED", variants: { on: true } },
          "evaluators/mine": { "==": [1, 1] },
        },
      ),
    );
    expect(Object.fromEntries(files)).toEqual({
      "platform/flows/onboarding.json": '{\n  "name": "é",\n  "steps": [\n    2,\n    1\n  ]\n}\n',
      "platform/entities/Notification.json": "{}\n",
      "requires.json": '{\n  "API_KEY": {\n    "kind": "secret"\n  }\n}\n',
      "config/vars.json": '{\n  "A": "1",\n  "B": "2"\n}\n',
      "config/secrets.json": '{\n  "API_KEY": {\n    "vault": "staging/API_KEY@k3"\n  }\n}\n',
      "config/flags.json":
        '{\n  "$evaluators": {\n    "mine": {\n      "==": [\n        1,\n        1\n      ]\n    }\n  },\n  "flags": {\n    "beta": {\n      "state": "ENABLED",\n      "variants": {\n        "on": true\n      }\n    }\n  }\n}\n',
    });
  });

  test("an empty one has its config files, and nothing in them", () => {
    expect(Object.fromEntries(filesOf(small({})))).toEqual({
      "requires.json": "{}\n",
      "config/vars.json": "{}\n",
      "config/secrets.json": "{}\n",
      "config/flags.json": '{\n  "flags": {}\n}\n',
    });
  });

  test("names that differ in case alone are both written out, and only they", () => {
    const paths = [...filesOf(small({ "flows/Send": 1, "flows/send": 2, "flows/Other": 3, "Flows/x": 4 })).keys()].slice(0, 4);
    expect(paths).toEqual([
      "platform/flows/%53end.json",
      "platform/flows/send.json",
      "platform/flows/Other.json",
      "platform/%46lows/x.json",
    ]);
  });
});

describe("files as an environment:", () => {
  test("however their JSON is spaced, whatever else lies beside them, and whatever is missing", () => {
    const files = new Map([
      ["README.md", "# ours"],
      ["src/x.json", "not ours"],
      ["platform/flows/a.json", '{"b":1,"a":[ ]}'],
      ["config/flags.json", "{}"],
    ]);
    expect(contentOf(files)).toEqual(small({ "flows/a": { a: [], b: 1 } }));
  });

  test.each([
    "platform/flows/../x.json",
    "platform/.git/config.json",
    "platform/flows/x.yaml",
    "platform/flows.json",
    "platform/requires/KEY.json",
    "platform/flows/a%2fb.json",
    "platform/Flows/x.json",
    "platform/flows/sub/x.json",
    "config/other.json",
    "config/vars.json/x.json",
  ])("a path within its folders that it never has is refused, and named: %s", (path) => {
    expect(() => roleOf(path)).toThrow(expect.objectContaining({ code: "invalid_request", message: expect.stringContaining(path) }));
  });

  test.each([
    ["platform/flows/a.json", "{", "is not JSON"],
    ["config/vars.json", "[]", "is no JSON object"],
    ["config/flags.json", '{"flags":[]}', 'has no object in "flags"'],
    ["requires.json", "null", "is no JSON object"],
  ])("what is not of its shape is refused, and named: %s with %s", (path, text, what) => {
    expect(() => contentOf(new Map([[path, text]]))).toThrow(
      expect.objectContaining({ code: "invalid_request", message: `The file "${path}" ${what}.` }),
    );
  });

  test("one component in two files is refused", () => {
    const files = new Map([
      ["platform/flows/Send.json", "1"],
      ["platform/flows/%53end.json", "2"],
    ]);
    expect(() => contentOf(files)).toThrow('holds "flows/Send", and so does another file');
  });
});

describe("pretty JSON", () => {
  test("is the canonical text, spaced: members are in its order, even those whose names are numbers", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(JSON.parse(prettyJson(value))).toEqual(value);
      }),
    );
    const value = { "10": 1, "9": 2, b: -0, a: "\u007f" };
    expect(prettyJson(value).replace(/\n */g, "").replaceAll(": ", ":")).toBe(canonicalJson(value));
  });
});

function sorted(map: ReadonlyMap<string, Json>): [string, Json][] {
  return [...map].sort(([left], [right]) => (left < right ? -1 : 1));
}
