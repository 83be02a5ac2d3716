import { describe, expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";
import { PROJECT } from "../domain/support.ts";
import { expectBound, serveStaging } from "./support.ts";

/** Space is as much part of a body as anything else. */
const padded = (body: object, bytes: number): string => JSON.stringify(body).padEnd(bytes, " ");
/** Text of arrays in arrays. */
const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

describe("a request's body", () => {
  test("on state routes: as many bytes as it may have, and one more", async () => {
    const served = await serveStaging();
    const replace = (body: unknown) => served.ask({ method: "PUT", path: `/env/${PROJECT}/staging/state`, body });
    const state = { state: { pages: { home: { title: "Home" } } } };
    await expectBound(
      served,
      () => replace(padded(state, LIMITS.stateBodyBytes)),
      () => replace(padded({ state: {} }, LIMITS.stateBodyBytes + 1)),
      "too_large",
    );
    await expectBound(
      served,
      () => served.patchState(padded({ set: { "pages/a": 1 } }, LIMITS.stateBodyBytes)),
      () => served.patchState(padded({ set: { "pages/a": 2 } }, LIMITS.stateBodyBytes + 1)),
      "too_large",
    );
  });

  test("on all other routes: as many bytes as it may have, and one more", async () => {
    const served = await serveStaging();
    await expectBound(
      served,
      () => served.patchConfig(padded({ vars: { REGION: "eu" } }, LIMITS.bodyBytes)),
      () => served.patchConfig(padded({ vars: { REGION: "us" } }, LIMITS.bodyBytes + 1)),
      "too_large",
    );
  });

  test("of a push: as many bytes as it may have, and one more", async () => {
    const served = await serveStaging();
    const push = (bytes: number) =>
      served.ask({ method: "POST", path: `/env/${PROJECT}/staging/git/hook`, body: padded({ ref: "x" }, bytes) });
    // Nobody signed it: to be told so is to have been read.
    expect([(await push(LIMITS.pushBytes)).status, (await push(LIMITS.pushBytes + 1)).status]).toEqual([401, 413]);
  });

  test("of a log-in: as many bytes as it may have, and one more", async () => {
    const served = await serveStaging();
    const logIn = (bytes: number) => served.ask({ method: "POST", path: "/session", body: padded({ token: "any" }, bytes) });
    expect([(await logIn(LIMITS.loginBytes)).status, (await logIn(LIMITS.loginBytes + 1)).status]).toEqual([200, 413]);
  });

  test("nested as deep as it may be, and one deeper", async () => {
    const served = await serveStaging();
    // The body itself and `set` are two levels, and of a flag `flags`, the flag and its rule are three more.
    const component = (depth: number) => served.patchState(`{"set":{"pages/deep":${nested(depth - 2)}}}`);
    await expectBound(
      served,
      () => component(LIMITS.jsonDepth),
      () => component(LIMITS.jsonDepth + 1),
      "invalid_json",
    );
    const flag = (depth: number) =>
      served.patchConfig(
        `{"flags":{"beta":{"state":"ENABLED","variants":{"on":true},"defaultVariant":"on","targeting":{"or":${nested(depth - 4)}}}}}`,
      );
    await expectBound(
      served,
      () => flag(LIMITS.jsonDepth),
      () => flag(LIMITS.jsonDepth + 1),
      "invalid_json",
    );
  });

  test("outside state routes: as many members and elements as it may have, and one more; on state routes more than that", async () => {
    const served = await serveStaging();
    const flag = (elements: number) => ({
      state: "ENABLED",
      variants: { on: true },
      defaultVariant: "on",
      targeting: { or: Array.from({ length: elements }, () => 1) },
    });
    // `flags` is one, and each of the two flags has seven besides its elements: itself, its four, and one in each of two of these.
    const config = (members: number) => served.patchConfig({ flags: { one: flag(25_000), two: flag(members - 25_000 - 15) } });
    await expectBound(
      served,
      () => config(LIMITS.jsonMembers),
      () => config(LIMITS.jsonMembers + 1),
      "too_large",
    );
    const many = { set: { "pages/many": Array.from({ length: LIMITS.jsonMembers + 1 }, () => 1) } };
    expect((await served.patchState(many)).status).toBe(200);
  });
});
