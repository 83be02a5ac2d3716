import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  allows,
  checkPattern,
  EVERY,
  EVERYTHING,
  type ExtraRight,
  type Grant,
  hasRight,
  includes,
  matches,
  RIGHTS,
  type Right,
  ROLES,
  reaches,
  SOME,
  spans,
} from "../../src/access.ts";
import { codeOf } from "../domain/support.ts";
import { grant } from "./support.ts";

/** Few letters, so that patterns and names meet often. Upper and lower case are two of them. */
const letter = fc.constantFrom("a", "b", "A", "-", "0");
const name = fc.string({ unit: letter, maxLength: 8 });
const part = fc.string({ unit: letter, maxLength: 3 });
/** With one star, or none. */
const pattern = fc.tuple(part, fc.constantFrom("*", ""), part).map((parts) => parts.join(""));
/** A name that a pattern matches, as often as not. */
const patternAndName = fc.tuple(pattern, name, fc.array(name, { maxLength: 6 })).map(([text, other, fillers]): [string, string] => {
  let used = 0;
  const filled = text.replaceAll("*", () => fillers[used++] ?? "");
  return [text, used % 2 === 0 ? filled : other];
});
const patterns = fc.array(pattern, { minLength: 1, maxLength: 3 });
const grants: fc.Arbitrary<Grant> = fc.record({
  role: fc.constantFrom(...ROLES),
  projects: patterns,
  envs: patterns,
  rights: fc.subarray<ExtraRight>(["secrets:reveal"]),
});
const rights = fc.constantFrom(...RIGHTS);
/** Two grants, of which the first spans the second more often than not: the second has something narrower in place of the stars. */
const wideAndNarrow = fc.tuple(grants, grants, fc.boolean(), pattern, pattern).map(([wide, other, any, first, second]): [Grant, Grant] => {
  const narrowed = (texts: readonly string[], by: string) => texts.map((text) => text.replaceAll("*", () => by));
  const rightsOf = any ? other : wide;
  const reach = any ? other : { projects: narrowed(wide.projects, first), envs: narrowed(wide.envs, second) };
  return [wide, { ...rightsOf, projects: reach.projects, envs: reach.envs }];
});

/** What a pattern means, said another way. */
function reference(text: string): RegExp {
  return new RegExp(`^${text.split("*").join("[^]*")}$`, "u");
}

function holds<Values>(property: fc.IRawProperty<Values>): void {
  fc.assert(property, { numRuns: 3_000 });
}

describe("a pattern", () => {
  test("matches what the regular expression of the same meaning matches", () => {
    holds(
      fc.property(fc.oneof(patternAndName, fc.tuple(pattern, name)), ([text, who]) => matches(text, who) === reference(text).test(who)),
    );
  });

  test("of whatever text, matches that text where it has no star, and nothing else", () => {
    const text = fc.string({ unit: "grapheme", maxLength: 6 }).filter((value) => !value.includes("*"));
    holds(fc.property(text, text, (own, other) => matches(own, own) && matches(own, other) === (own === other)));
  });

  test.each([
    ["pf-*", "pf-1", true],
    ["pf-*", "pf-", true],
    ["PF-*", "pf-1", false],
    ["pf-*", "PF-1", false],
    ["pf-1", "pf-10", false],
    ["pf-1", "xpf-1", false],
    ["*-1", "pf-1", true],
    ["p*1", "pf-f-11", true],
    ["p*1", "p1", true],
    ["pf*f1", "pf1", false],
    ["*", "", true],
    ["", "", true],
    ["", "a", false],
    ["a.c", "abc", false],
    ["[ab]", "a", false],
    ["a?", "ab", false],
  ])("%s and %s: %s", (text, who, expected) => {
    expect(matches(text, who)).toBe(expected);
  });

  test("is of one star at most, so that it is compared once from the front and once from the back", () => {
    expect(matches("a*b*", "aXbX")).toBe(false);
    expect(matches(`*${"a".repeat(62)}b`, "a".repeat(1_000_000))).toBe(false);
  });

  test("is of the characters of names and stars, at most 64, and has one star at most", async () => {
    const refused = (text: string) => codeOf(Promise.resolve().then(() => checkPattern(text, "projects")));
    for (const text of ["*", "a", "pf-*", "*-a_B9", "a*b", "a".repeat(64)]) expect(checkPattern(text, "projects")).toBeUndefined();
    for (const text of ["", "**", "a**", "*a*", "a*b*c", "a.b", "a b", "a/b", "a?", "é", "a\n", "\n*", "a".repeat(65), "$", "@"]) {
      expect(await refused(text), JSON.stringify(text)).toBe("invalid_request");
    }
  });
});

describe("whoever spans another", () => {
  test("reaches wherever the other does", () => {
    holds(
      fc.property(wideAndNarrow, name, name, ([wide, narrow], project, env) => {
        fc.pre(spans(wide, narrow));
        return !reaches(narrow, project, env) || reaches(wide, project, env);
      }),
    );
  });

  test("is found, wherever each of the other's patterns is one of its own, or `*` is", () => {
    holds(fc.property(grants, (own) => spans(own, own) && spans(EVERYTHING, own)));
  });

  test("and has all of its rights allows what it allows: so nothing can be handed on that was not there", () => {
    holds(
      fc.property(wideAndNarrow, fc.array(grants, { maxLength: 2 }), rights, name, name, ([wide, other], more, right, project, env) => {
        const own = [...more, wide];
        fc.pre(includes(own, other));
        return !allows([other], right, project, env) || allows(own, right, project, env);
      }),
    );
  });

  test("allows no less of some and of every one, either", () => {
    const place = fc.oneof(name, fc.constant(EVERY), fc.constant(SOME));
    holds(
      fc.property(wideAndNarrow, rights, place, place, ([own, other], right, project, env) => {
        fc.pre(includes([own], other));
        return !allows([other], right, project, env) || allows([own], right, project, env);
      }),
    );
  });

  test("does so by one grant: two that share what is needed hand on neither", () => {
    const [here, there] = [grant("admin", ["pf-1"], ["*"]), grant("reader", ["pf-2"], ["*"], ["secrets:reveal"])];
    expect(includes([here, there], grant("reader", ["pf-1"], ["*"], ["secrets:reveal"]))).toBe(false);
    expect(includes([here, there], grant("reader", ["pf-1", "pf-2"]))).toBe(false);
    expect(includes([here, there], grant("reader", ["pf-1"]))).toBe(true);
  });

  test.each([
    ["*", "pf-*", true],
    ["pf-*", "pf-*", true],
    ["pf-*", "pf-1*", true],
    ["pf-1*", "pf-*", false],
    ["pf-*", "*", false],
    ["pf-*", "*pf-*", false],
    ["a*", "a*b", true],
    ["*b", "a*b", true],
    ["a*b", "a*", false],
    ["pf-1", "pf-*", false],
    ["PF-*", "pf-1", false],
  ])("%s spans %s: %s", (wide, narrow, expected) => {
    expect(spans(grant("reader", [wide]), grant("reader", [narrow]))).toBe(expected);
  });
});

describe("in place of a name", () => {
  test("every one is reached by a star alone: by no pattern, nor by any list of them", () => {
    holds(
      fc.property(grants, (own) => {
        const all = (list: readonly string[]) => list.some((text) => /^\*+$/.test(text));
        return reaches(own, EVERY, EVERY) === (all(own.projects) && all(own.envs));
      }),
    );
  });

  test("some one is reached by whoever reaches any, and where every one is", () => {
    holds(
      fc.property(grants, name, name, (own, project, env) => {
        const reachesIt = !reaches(own, project, env) || (reaches(own, SOME, SOME) && reaches(own, project, SOME));
        return reachesIt && reaches(own, SOME, env) === reaches({ ...own, projects: ["*"] }, project, env);
      }),
    );
    expect(reaches({ projects: [], envs: ["*"] }, SOME, SOME)).toBe(false);
    expect(reaches({ projects: ["*"], envs: [] }, SOME, SOME)).toBe(false);
  });

  test("some one is nothing that a request could say", () => {
    for (const said of ["some", "Symbol(some)", SOME.toString(), SOME.description ?? ""]) {
      expect(reaches(grant("admin", ["pf-1"]), said, "staging")).toBe(false);
    }
    expect(JSON.stringify({ project: SOME })).toBe("{}");
  });

  test("a star or a question mark in a request reaches nothing that its own letters would not", () => {
    const asked = fc.string({ unit: fc.oneof(letter, fc.constantFrom("*", "?", ".", "%")), maxLength: 6 });
    holds(
      fc.property(grants, rights, asked, name, (own, right, project, filler) => {
        // Where a text with stars is let through, so is each name that the stars could stand for.
        const meant = project.replaceAll("*", filler);
        return !allows([own], right, project, "e") || allows([own], right, meant, "e");
      }),
    );
    const limited = grant("admin", ["pf-1", "a*"], ["staging"]);
    for (const project of ["*", "?", "pf-*", "pf-?", "%", "%2A", "", "**"]) {
      expect(allows([limited], "read", project, "staging"), project).toBe(false);
      expect(allows([limited], "read", "pf-1", project), project).toBe(false);
    }
  });
});

describe("rights", () => {
  const RIGHTS_OF: Readonly<Record<(typeof ROLES)[number], readonly Right[]>> = {
    client: ["evaluate"],
    reader: ["evaluate", "read"],
    editor: ["evaluate", "read", "edit"],
    promoter: ["evaluate", "read", "edit", "promote", "approve", "report"],
    engine: ["evaluate", "read", "edit", "promote", "report"],
    admin: ["evaluate", "read", "edit", "promote", "approve", "report", "force", "administer"],
  };

  test.each(ROLES)("of a %s are these and no others", (role) => {
    expect(RIGHTS.filter((right) => hasRight({ role, rights: [] }, right))).toEqual(RIGHTS_OF[role]);
    const withReveal = RIGHTS_OF[role].includes("read") ? [...RIGHTS_OF[role], "reveal"] : RIGHTS_OF[role];
    expect(RIGHTS.filter((right) => hasRight({ role, rights: ["secrets:reveal"] }, right))).toEqual(withReveal);
  });

  test("without a grant there are none", () => {
    for (const right of RIGHTS) expect(allows([], right, SOME, SOME)).toBe(false);
  });

  test("of several grants add up and do not mix: each holds where its own grant reaches", () => {
    holds(
      fc.property(fc.array(grants, { maxLength: 4 }), rights, name, name, (all, right, project, env) => {
        return allows(all, right, project, env) === all.some((own) => hasRight(own, right) && reaches(own, project, env));
      }),
    );
    const mixed = [grant("promoter", ["pf-1"], ["staging"]), grant("reader", ["pf-1"], ["production"])];
    expect(allows(mixed, "promote", "pf-1", "staging")).toBe(true);
    expect(allows(mixed, "promote", "pf-1", "production")).toBe(false);
    expect(allows(mixed, "read", "pf-1", EVERY)).toBe(false);
  });
});
