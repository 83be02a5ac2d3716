import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature, type Provider, ProviderEvents } from "@openfeature/web-sdk";

/** What the page of the test does: OpenFeature's own provider for browsers, and nothing in its place. */
const page = {
  changes: 0,
  async open(baseUrl: string, token: string, context: Record<string, string>) {
    await OpenFeature.setContext(context);
    const headers = [["Authorization", `Bearer ${token}`]] as [string, string][];
    OpenFeature.addHandler(ProviderEvents.ConfigurationChanged, () => {
      page.changes += 1;
    });
    // Their types do not agree on what may be undefined.
    await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, headers, cacheMode: "disabled" }) as unknown as Provider);
  },
  setContext: (context: Record<string, string>) => OpenFeature.setContext(context),
  boolean: (key: string, otherwise: boolean) => OpenFeature.getClient().getBooleanDetails(key, otherwise),
  string: (key: string, otherwise: string) => OpenFeature.getClient().getStringDetails(key, otherwise),
  object: (key: string) => OpenFeature.getClient().getObjectValue(key, {}),
};

export type Page = typeof page;
Object.assign(globalThis, { page });
