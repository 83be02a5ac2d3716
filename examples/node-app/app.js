// A program that takes its configuration from the environment it is started with, and a flag from OpenFeature:
//   envm run -e staging -- node examples/node-app/app.js
import { OpenFeature } from "@openfeature/server-sdk";
import { EnvironmentManagerProvider } from "environment-manager/sdk/openfeature";

const { API_URL, ENVM_URL = "http://127.0.0.1:4006", ENVM_TOKEN, ENVM_PROJECT = "pf-777", ENVM_ENV = "staging" } = process.env;
if (API_URL === undefined) {
  console.error("API_URL is not set. Start this with: envm run -e staging -- node examples/node-app/app.js");
  process.exit(1);
}

// From here on flags are evaluated in process, from a copy that is kept current. A program that cannot have one goes on: each flag is then
// what the program says itself.
await OpenFeature.setProviderAndWait(
  new EnvironmentManagerProvider({ url: ENVM_URL, token: ENVM_TOKEN, project: ENVM_PROJECT, env: ENVM_ENV }),
).catch((error) => console.error(`Flags are what the program says: ${error.message}`));

const isNew = await OpenFeature.getClient().getBooleanValue("new-checkout", false, { targetingKey: "ada" });
console.log(`${isNew ? "The new" : "The old"} checkout, at ${API_URL}`);

await OpenFeature.close();
