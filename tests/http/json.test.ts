import { once } from "node:events";
import { connect } from "node:net";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { AppError, type ErrorCode } from "../../src/errors.ts";
import { parseJson, readJsonBody } from "../../src/http/json.ts";
import { LIMITS } from "../../src/limits.ts";
import { serve } from "./support.ts";

const parse = (text: string | Buffer, members = 1_000) => parseJson(Buffer.from(text), members);

function refusal(
  text: string | Buffer,
  members?: number,
): { readonly code: ErrorCode; readonly reason: string; readonly details: unknown } {
  try {
    parse(text, members);
  } catch (error) {
    if (error instanceof AppError) return { code: error.code, reason: error.message, details: error.details };
    throw error;
  }
  throw new Error("it was accepted");
}

describe("good JSON is parsed as JSON.parse does", () => {
  test.each([
    "{}",
    "[]",
    ' \t\r\n{ "a" : [ 1 , 2.5e3 , -0 , true , false , null ] } \n',
    '"\\u00e9\\ud83d\\ude00\\n\\"\\\\\\/"',
    '{"a":{"b":1},"b":{"a":1}}',
    '{"":1," ":2}',
    "9007199254740992",
    "-9007199254740992",
    "62685417233463050",
    "1e308",
    "0.1000000000000000055511151231257827",
    "0e400",
    '"grüße 😀"',
    "\ufeff{}",
  ])("%s", (text) => {
    expect(parse(text)).toEqual(JSON.parse(text.replace("\ufeff", "")));
  });

  test("every value that there is comes back", () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false, maxDepth: 6 }), fc.constantFrom(0, 1, 2), (value, indent) => {
        const text = JSON.stringify(value, null, indent);
        expect(parse(text, Number.POSITIVE_INFINITY)).toEqual(JSON.parse(text));
      }),
    );
  });

  test("`__proto__` becomes a property like any other", () => {
    const value = parse('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
    expect(Object.keys(value)).toEqual(["__proto__"]);
    expect(value.polluted).toBeUndefined();
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("what is not JSON is refused", () => {
  test.each([
    ["", "is empty", 1, 1],
    ["  \n ", "is empty", 2, 2],
    ["{", "name in double quotes", 1, 2],
    ["{\n  'a': 1\n}", "name in double quotes", 2, 3],
    ['{"a" 1}', "expected `:`", 1, 6],
    ['{"a":1 "b":2}', "expected `,` or `}`", 1, 8],
    ['{"a":1,}', "name in double quotes", 1, 8],
    ["[1,]", "expected a value", 1, 4],
    ["[1 2]", "expected `,` or `]`", 1, 4],
    ["[1", "expected `,` or `]`", 1, 3],
    ["[1}", "expected `,` or `]`", 1, 3],
    ["{} {}", "expected the end", 1, 4],
    ["nul", "expected a value", 1, 1],
    ["NaN", "expected a value", 1, 1],
    ["undefined", "expected a value", 1, 1],
    ["// no", "expected a value", 1, 1],
    ["01", "a zero too many", 1, 1],
    ["-", "expected a digit", 1, 2],
    ["1.", "expected a digit", 1, 3],
    [".5", "expected a value", 1, 1],
    ["+1", "expected a value", 1, 1],
    ["1e", "expected a digit", 1, 3],
    ['"a', "does not end", 1, 3],
    ['"a\\"', "does not end", 1, 5],
    ['"\t"', "control character", 1, 2],
    ['"\\x41"', "an escape that JSON does not have", 1, 2],
    ['"\\u12g4"', "four hexadecimal digits", 1, 2],
    ['["grüße" 1]', "expected `,` or `]`", 1, 10],
  ])("%j: %s", (text, fault, line, column) => {
    const { code, reason, details } = refusal(text);
    expect(code).toBe("invalid_json");
    expect(reason).toContain(fault);
    expect(details).toMatchObject({ line, column });
  });

  test("text that JSON.parse refuses is refused, and text that it takes is taken or refused for a reason of ours", () => {
    const ours = /two members|does not fit a double|surrogate|deeper than/;
    const piece = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "\\",
      "u",
      "d83d",
      "0",
      "1",
      "-",
      ".",
      "e",
      "+",
      "true",
      "null",
      " ",
      "a",
      '"a":',
      "\n",
    );
    const mutated = fc
      .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.nat(3), fc.array(piece, { maxLength: 3 }))
      .map(([text, at, cut, pieces]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + pieces.join("") + text.slice(place + cut);
      });
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
        ),
        (text) => {
          let expected: { readonly value: unknown } | null;
          try {
            expected = { value: JSON.parse(text) };
          } catch {
            expected = null;
          }
          try {
            const value = parse(text);
            expect({ value }).toEqual(expected);
          } catch (error) {
            expect(error).toBeInstanceOf(AppError);
            expect((error as AppError).code).toBe("invalid_json");
            if (expected !== null) expect((error as AppError).message).toMatch(ours);
          }
        },
      ),
      { numRuns: 3_000 },
    );
  });

  test("an error never shows a piece of the body", () => {
    const { reason, details } = refusal('{"secrets":{"API_KEY":"s3cr3t-value"},}');
    expect(`${reason} ${JSON.stringify(details)}`).not.toMatch(/s3cr3t|API_KEY/);
  });
});

describe("JSON that would change on its way is refused", () => {
  test.each(["1e400", "-1e400", "1e-400", "9007199254740993", "-9007199254740993", "12345678901234567890", `1${"0".repeat(400)}1`])(
    "the number %s",
    (text) => {
      expect(refusal(`{"n":${text}}`)).toMatchObject({ code: "invalid_json", reason: expect.stringContaining("does not fit a double") });
    },
  );

  test.each(['"\\ud800"', '"\\udc00"', '"\\ud800x"', '"\\ud800\\ud800"', '"\\ude00\\ud83d"'])("the lone surrogate in %s", (text) => {
    expect(refusal(text)).toMatchObject({ code: "invalid_json", reason: expect.stringContaining("surrogate") });
  });

  test.each([[[0x22, 0xff, 0x22]], [[0x22, 0xc0, 0xaf, 0x22]], [[0x22, 0xed, 0xa0, 0x80, 0x22]]])(
    "bytes that are not UTF-8: %j",
    (bytes) => {
      expect(refusal(Buffer.from(bytes))).toMatchObject({ code: "invalid_json", reason: "The body is not valid UTF-8." });
    },
  );

  const manyKeys = Array.from({ length: 50 }, (_, index) => `"k${index}":1`).join(",");
  test.each([
    '{"a":1,"a":1}',
    '{"a":1,"b":{"c":1,"c":2}}',
    '{"a":1,"\\u0061":2}',
    '{"\\u0061":1,"a":2}',
    '{"é":1,"\\u00e9":2}',
    '{"__proto__":1,"__proto__":2}',
    `{${manyKeys},"k3":1}`,
    `{${manyKeys},"\\u006b49":1}`,
    `{"k16":1,${manyKeys}}`,
  ])("a name that one object has twice: %s", (text) => {
    expect(refusal(text)).toMatchObject({ code: "invalid_json", reason: expect.stringContaining("two members of this name") });
  });

  test("names of two objects on one level have nothing to do with each other", () => {
    expect(parse(`[{${manyKeys}},{${manyKeys}},{"k1":1}]`)).toHaveLength(3);
  });
});

describe("JSON has bounds", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);

  test("nesting: at the bound, and one past it", () => {
    expect(parse(nested(LIMITS.jsonDepth))).toBeTruthy();
    expect(refusal(nested(LIMITS.jsonDepth + 1))).toMatchObject({ code: "invalid_json", details: { limit: LIMITS.jsonDepth } });
  });

  test.each([10_000, 1_000_000])("nesting %d deep neither takes long nor overflows", (depth) => {
    expect(refusal("[".repeat(depth)).code).toBe("invalid_json");
    expect(refusal('{"a":'.repeat(depth)).code).toBe("invalid_json");
  });

  test("members and elements of all levels together: at the bound, and one past it", () => {
    expect(parse('{"a":[1,2,3],"b":4}', 5)).toBeTruthy();
    expect(refusal('{"a":[1,2,3],"b":4}', 4)).toMatchObject({ code: "too_large", details: { limit: 4 } });
  });
});

describe("a body is read", () => {
  const bounds = { bytes: 100, members: 10 };
  async function reader(options = { mayBeEmpty: false }) {
    const { ask } = await serve((request, response) => {
      readJsonBody(request, bounds, options).then(
        (body) => response.end(JSON.stringify(body)),
        (error: AppError) => response.writeHead(error.status).end(error.code),
      );
    });
    return (body: unknown, headers: Record<string, string> = {}) => ask({ method: "POST", path: "/", body, headers });
  }

  test.each([
    "application/json",
    "APPLICATION/JSON",
    "application/json; charset=utf-8",
    'application/json;charset="UTF-8"',
    "application/merge-patch+json",
  ])("as %s", async (type) => {
    const send = await reader();
    expect(await send('{"a":1}', { "content-type": type })).toMatchObject({ status: 200, text: '{"a":1}' });
  });

  test.each([
    ["text/plain", "415unsupported_media_type"],
    ["application/x-www-form-urlencoded", "415unsupported_media_type"],
    ["application/jsonp", "415unsupported_media_type"],
    ["application/json; charset=utf-16", "415unsupported_media_type"],
    ["", "415unsupported_media_type"],
  ])("not as %j", async (type, expected) => {
    const send = await reader();
    const { status, text } = await send('{"a":1}', { "content-type": type });
    expect(`${status}${text}`).toBe(expected);
  });

  test("not compressed", async () => {
    const send = await reader();
    expect(await send('{"a":1}', { "content-encoding": "gzip" })).toMatchObject({ status: 415 });
  });

  test.each([
    ["", "invalid_json"],
    ["[]", "invalid_request"],
    ["null", "invalid_request"],
    ['"text"', "invalid_request"],
    ["1", "invalid_request"],
  ])("only an object: %j is %s", async (body, code) => {
    const send = await reader();
    expect(await send(body)).toMatchObject({ status: 400, text: code });
  });

  test("or nothing, where nothing is an answer too: by its headers, by its length, and in no piece at all", async () => {
    for (const mayBeEmpty of [true, false]) {
      const send = await reader({ mayBeEmpty });
      const expected = mayBeEmpty ? { status: 200, text: "{}" } : { status: 400, text: "invalid_json" };
      expect(await send(undefined)).toMatchObject(expected);
      expect(await send("", { "content-length": "0" })).toMatchObject(expected);
      expect(await send("", { "transfer-encoding": "chunked" })).toMatchObject(expected);
      // White space is a body, and no JSON.
      expect(await send(" ", { "transfer-encoding": "chunked" })).toMatchObject({ status: 400, text: "invalid_json" });
    }
  });

  test("up to its bound in bytes, whether it says its length or not", async () => {
    const send = await reader();
    const fits = JSON.stringify({ a: "x".repeat(bounds.bytes - '{"a":""}'.length) });
    const chunked = { "transfer-encoding": "chunked" };
    expect(await send(fits)).toMatchObject({ status: 200, text: fits });
    expect(await send(fits, chunked)).toMatchObject({ status: 200, text: fits });
    expect(await send(`${fits} `)).toMatchObject({ status: 413, text: "too_large" });
    expect(await send(`${fits} `, chunked)).toMatchObject({ status: 413, text: "too_large" });
  });

  test("whether it came along with its headers or comes in pieces, one after the other on one connection", async () => {
    let sendRest = () => {};
    const { port } = await serve(async (request, response) => {
      // What came along with the headers is here by now.
      await new Promise(setImmediate);
      const reading = readJsonBody(request, bounds);
      sendRest();
      response.end(JSON.stringify(await reading));
    });
    const text = '{"a":"grüße"}';
    const length = Buffer.byteLength(text);
    const whole = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${text}`);
    const socket = connect(port, "127.0.0.1").setEncoding("utf8").setNoDelay();
    onTestFinished(() => void socket.destroy());
    for (const left of [0, 5, length, 0]) {
      sendRest = () => void socket.write(whole.subarray(whole.length - left));
      socket.write(whole.subarray(0, whole.length - left));
      let answer = "";
      while (!answer.endsWith("}")) answer += String((await once(socket, "data"))[0]);
      expect(answer.slice(answer.indexOf("{"))).toBe(text);
    }
  });

  test("a client that is still sending a body that is too large gets to read the refusal", async () => {
    const send = await reader();
    expect(await send("x".repeat(20_000_000))).toMatchObject({ status: 413, text: "too_large" });
  });
});
