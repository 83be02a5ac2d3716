import { expect, test } from "vitest";
import { rootToken } from "../../src/root-token.ts";
import { openStore } from "../../src/storage/open.ts";
import { tokenDigest } from "../../src/token-documents.ts";

const CHOSEN = "chosen-by-the-operator";

test("is made once, and kept by its digest alone", async () => {
  const store = await openStore("memory:");
  const { digest, made } = await rootToken(store, null);
  expect(digest).toEqual(tokenDigest(made ?? ""));
  expect(await rootToken(store, null)).toEqual({ digest, made: null });
});

test("that was made ends for good with the first start that is given another one: it may have leaked", async () => {
  const store = await openStore("memory:");
  const leaked = await rootToken(store, null);
  expect(await rootToken(store, CHOSEN)).toEqual({ digest: tokenDigest(CHOSEN), made: null });
  expect(await rootToken(store, CHOSEN)).toEqual({ digest: tokenDigest(CHOSEN), made: null });
  const next = await rootToken(store, null);
  expect(next.made).not.toBeNull();
  for (const ended of [leaked.digest, tokenDigest(CHOSEN)]) expect(next.digest).not.toEqual(ended);
});

test("is the same for instances that are given it at once", async () => {
  const store = await openStore("memory:");
  await rootToken(store, null);
  const starts = await Promise.all([rootToken(store, CHOSEN), rootToken(store, CHOSEN), rootToken(store, CHOSEN)]);
  for (const { digest } of starts) expect(digest).toEqual(tokenDigest(CHOSEN));
  expect((await rootToken(store, null)).made).not.toBeNull();
});
