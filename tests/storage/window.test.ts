import { describe, expect, it } from "vitest";
import { Window } from "../../src/storage/window.ts";

/** Operations that end when they are told to, and the order in which they began. */
function operations(window: Window) {
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    run: (name: string, bytes: number) =>
      window.run(bytes, () => {
        begun.push(name);
        return new Promise<void>((resolve) => ends.set(name, resolve));
      }),
    end: (name: string) => ends.get(name)?.(),
  };
}

describe("the window of what is on its way", () => {
  it("lets out at once what has room, and the rest in order as room comes", async () => {
    const { begun, run, end } = operations(new Window({ bytes: 10, waiting: 9 }));
    const all = [run("a", 6), run("b", 4), run("c", 5), run("d", 1)];
    expect(begun).toEqual(["a", "b"]);
    end("b");
    await all[1];
    // d would have room, and waits behind c all the same.
    expect(begun).toEqual(["a", "b"]);
    end("a");
    await all[0];
    await Promise.resolve();
    expect(begun).toEqual(["a", "b", "c", "d"]);
    end("c");
    end("d");
    await Promise.all(all);
  });

  it("lets what is larger than it go alone", async () => {
    const { begun, run, end } = operations(new Window({ bytes: 10, waiting: 9 }));
    const large = run("large", 50);
    const small = run("small", 1);
    expect(begun).toEqual(["large"]);
    end("large");
    await large;
    await Promise.resolve();
    expect(begun).toEqual(["large", "small"]);
    end("small");
    await small;
  });

  it("refuses what comes when as many wait as may, and never runs it", async () => {
    const { begun, run, end } = operations(new Window({ bytes: 1, waiting: 2 }));
    const all = [run("a", 1), run("b", 1), run("c", 1)];
    await expect(run("d", 1)).rejects.toMatchObject({ code: "overloaded" });
    for (const name of ["a", "b", "c"]) {
      while (!begun.includes(name)) await Promise.resolve();
      end(name);
    }
    await Promise.all(all);
    expect(begun).toEqual(["a", "b", "c"]);
  });

  it("is idle when nothing runs or waits, also after a failure", async () => {
    const window = new Window({ bytes: 1, waiting: 2 });
    await window.idle();
    const failing = window.run(1, () => Promise.reject(new Error("failed")));
    const idle = window.idle();
    await expect(failing).rejects.toThrow("failed");
    await idle;
  });
});
