import { AllowList } from "../../src/engines/address.ts";
import { PublicTarget } from "../../src/engines/request.ts";
import { AppError } from "../../src/errors.ts";

/** Run as a process of its own, because Node reads `NODE_EXTRA_CA_CERTS` once: asks each URL given and prints what came of it. */
const options = { allow: new AllowList(["127.0.0.1"]), lookup: async () => ["127.0.0.1"] };
const outcomes = process.argv.slice(2).map(async (url) => {
  const target = new PublicTarget(url, options);
  try {
    return (await target.request({ method: "GET" })).text();
  } catch (error) {
    return error instanceof AppError ? error.message : String(error);
  } finally {
    await target.close();
  }
});
console.log(JSON.stringify(await Promise.all(outcomes)));
