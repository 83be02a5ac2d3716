// @vitest-environment happy-dom
import { notifyManager, QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
import { expect, onTestFinished, test } from "vitest";
import { EnvmError } from "../../src/sdk/errors.ts";
import { useRead } from "../../web/src/useRead.ts";

const AWAY = new EnvmError("connection_failed", { reason: "It is away." });

interface Asked {
  answer(value: string | undefined): void;
  fail(error: Error): void;
}

// What happens is told at once, and not by a timer that others may come before.
notifyManager.setScheduler(queueMicrotask);

/** A page that reads one thing, whose answers the test gives. */
async function reader() {
  (globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
  const queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  const asked: Asked[] = [];
  let again = async (): Promise<unknown> => undefined;
  const Page = ({ name }: { readonly name: string }) => {
    const read = useRead({
      queryKey: ["project", name],
      queryFn: () =>
        new Promise<{ value: string | undefined }>((resolve, fail) => asked.push({ answer: (value) => resolve({ value }), fail })),
      select: ({ value }) => value,
    });
    again = read.refetch;
    return createElement("p", null, read.isPending ? "loading" : read.isError ? read.error.message : (read.data ?? "none"));
  };
  const place = document.createElement("div");
  const root = createRoot(place);
  const show = (name: string) =>
    act(async () => root.render(createElement(QueryClientProvider, { client: queries, children: createElement(Page, { name }) })));
  onTestFinished(() => act(async () => root.unmount()));
  await show("a");
  return {
    show,
    /** What the page says once that has happened. */
    async after(happens: (newest: Asked) => unknown): Promise<string | null> {
      await act(async () => {
        happens(asked.at(-1) as Asked);
        // Until all that follows from it has happened, which waits for nothing.
        await new Promise((resolve) => setTimeout(resolve));
      });
      return place.textContent;
    },
    tryAgain: () => void queries.refetchQueries(),
    again: () => void again(),
  };
}

test("what failed goes on saying so while it is tried again by itself; whoever asks for it sees that it is tried", async () => {
  const { after, tryAgain, again } = await reader();
  expect(await after(() => {})).toBe("loading");
  expect(await after(({ fail }) => fail(AWAY))).toBe("It is away.");
  expect(await after(tryAgain)).toBe("It is away.");
  expect(await after(({ fail }) => fail(AWAY))).toBe("It is away.");
  expect(await after(again)).toBe("loading");
  expect(await after(({ fail }) => fail(new Error("It broke.")))).toBe("It broke.");
  expect(await after(tryAgain)).toBe("It broke.");
  expect(await after(({ answer }) => answer("here"))).toBe("here");
});

test("what failed says nothing of another thing, and that there is nothing is an answer", async () => {
  const { after, show } = await reader();
  expect(await after(({ fail }) => fail(AWAY))).toBe("It is away.");
  await show("b");
  expect(await after(() => {})).toBe("loading");
  expect(await after(({ answer }) => answer(undefined))).toBe("none");
});
