import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { LIMITS } from "../../src/limits.ts";

type Bound = keyof typeof LIMITS;

/** Where both sides of a bound are tested: the file below `tests`, and the test's title as it is written there. */
const testedIn: Readonly<Partial<Record<Bound, readonly (readonly [file: string, title: string])[]>>> = {
  stateBodyBytes: [["limits/bodies.test.ts", "on state routes: as many bytes as it may have, and one more"]],
  bodyBytes: [["limits/bodies.test.ts", "on all other routes: as many bytes as it may have, and one more"]],
  jsonDepth: [
    ["limits/bodies.test.ts", "nested as deep as it may be, and one deeper"],
    ["merkle/canonical.test.ts", "deeper than 64 levels"],
  ],
  jsonMembers: [["limits/bodies.test.ts", "outside state routes: as many members and elements as it may have, and one more"]],
  components: [["limits/small.test.ts", "a platform: as many components as it may have, and one more"]],
  componentBytes: [["limits/values.test.ts", "a component, as canonical JSON"]],
  componentNameBytes: [["limits/names.test.ts", "a component's, of characters %s"]],
  configNameLength: [["limits/names.test.ts", "a %s's"]],
  varBytes: [["limits/values.test.ts", "a %s, counted in UTF-8"]],
  secretBytes: [["limits/values.test.ts", "a %s, counted in UTF-8"]],
  flagBytes: [["limits/values.test.ts", "a flag, as canonical JSON"]],
  ruleSteps: [["flagd/faults.test.ts", "as many steps as a rule may take, and more"]],
  contextBytes: [["flagd/context.test.ts", "as many bytes as it may have, counted in UTF-8, and one more"]],
  contextElements: [["flagd/context.test.ts", "a list, wherever it is: as many elements as it may have, and one more"]],
  cachedFlags: [["flagd/evaluations.test.ts", "flags are kept ready up to a bound, and those asked for longest ago are given up first"]],
  configEntries: [["limits/values.test.ts", "an environment's config, in entries of all kinds together"]],
  messageLength: [["limits/values.test.ts", "a message"]],
  summaryNames: [["limits/values.test.ts", "a revision names as many of its new entities as there is room for, and counts all"]],
  compareNames: [
    ["limits/small.test.ts", "a comparison names as many as it may, and says how many more there are"],
    ["limits/small.test.ts", "a promotion of some components: as many as it may name, and one more"],
  ],
  labelCandidates: [["limits/small.test.ts", "a version is looked for among as many as may be tried, and not one more"]],
  pipeline: [["domain/policy.test.ts", "a pipeline has as many environments as it may, and not one more"]],
  waitMs: [
    ["domain/waiting.test.ts", "the answer comes with the next head, and 304 for who has it"],
    ["domain/waiting.test.ts", "%s is refused"],
  ],
  lineage: [
    ["domain/lineage.test.ts", "the newest common ancestor by lineage is that of a walk over all parents"],
    ["domain/lineage.test.ts", "beyond that number, what is found is still a common ancestor, and never a newer one than there is"],
  ],
  keyBytes: [
    ["storage/checked.test.ts", "takes a key as long as the bound, counted in UTF-8"],
    ["storage/checked.test.ts", "refuses %s wherever a key is taken"],
  ],
  partitionLength: [["storage/checked.test.ts", '"x".repeat(LIMITS.partitionLength + 1)']],
  documentBytes: [
    ["conformance/store-reads.ts", "returns a document as large as the bound"],
    ["storage/checked.test.ts", "refuses %s over its bound as too_large"],
  ],
  objectBytes: [["conformance/store-objects.ts", "may be as large as the bound, and no larger"]],
  commitBytes: [
    ["conformance/store-commits.ts", "may reach the bound"],
    ["conformance/store-commits.ts", "may not exceed it: nothing is written"],
  ],
  commitOperations: [
    ["conformance/store-commits.ts", "may reach the bound of operations"],
    ["storage/checked.test.ts", "refuses %s over its bound as too_large"],
  ],
  getKeys: [["limits/store.test.ts", "may name as many keys as there may be, and not one more"]],
  listEntries: [
    ["conformance/store-ranges.ts", "answers as many entries as the bound allows"],
    ["storage/checked.test.ts", "refuses the limit %d"],
  ],
  nodeEntries: [["merkle/map.test.ts", "refuses names chosen so that they all fall in one node, and takes as many that are not"]],
  pageItems: [["limits/lists.test.ts", "of %s: as many items as may be asked for, and one more"]],
  pageItemsDefault: [["limits/lists.test.ts", "has as many items as were asked for, or a usual number"]],
  commitAttempts: [["limits/store.test.ts", "is tried as often as may be, and not once more"]],
  batchWriters: [["limits/store.test.ts", "writers that wait share one commit up to as many as may, and one more makes one more commit"]],
  queuedWriters: [
    ["domain/ledger.test.ts", "are refused with `overloaded` when too many wait, and the others still get through"],
    ["storage/sqlite-group.test.ts", "are refused, and never written, where too many wait"],
  ],
  queuedReads: [["domain/read-index.test.ts", "as many may wait as the bound says, and not one more"]],
  groupCommits: [["storage/sqlite-group.test.ts", "are split where they are too many for one transaction"]],
  onceMs: [["domain/idempotency.test.ts", "is kept for 24 hours, and no longer"]],
  onceKeyLength: [["http/idempotency.test.ts", "of %s is 400, and nothing is changed"]],
  durationMs: [
    ["domain/durations.test.ts", '["36500d", LIMITS.durationMs]'],
    ["domain/durations.test.ts", '"36501d"'],
  ],
  previewTtlMs: [["limits/values.test.ts", "a preview's life"]],
  previewDefaultTtlMs: [["limits/previews.test.ts", "a preview that names no end lives for the usual time, and not a millisecond longer"]],
  previewRestoredMs: [
    ["limits/previews.test.ts", "a preview that is brought back without a new end lives for the usual time from then on"],
  ],
  previewGraceMs: [["limits/previews.test.ts", "a preview can be brought back until its grace time is over, and not a millisecond longer"]],
  sourceRefLength: [["limits/values.test.ts", "a preview's source reference"]],
  intentAgeMs: [["domain/secrets.test.ts", "takes nothing away that may still be committed"]],
  garbageAgeMs: [["garbage/objects.test.ts", "takes what nothing refers to once it is a day old, and nothing younger"]],
  garbageEveryMs: [["garbage/objects.test.ts", "runs once in a while, whoever asks"]],
  garbageBatch: [["garbage/objects.test.ts", "deletes in batches, and changes gc/epoch with each"]],
  garbageSecrets: [["garbage/secrets.test.ts", "are given up in batches"]],
  rollbackWindowMs: [["garbage/secrets.test.ts", "stay while a rollback within the window may ask for them, and go then"]],
  rollbackRevisions: [["garbage/secrets.test.ts", "stay among the newest revisions, however old those are"]],
  archiveRetentionMs: [
    ["garbage/secrets.test.ts", "can be brought back with their secrets while they are kept, and lose them then for good"],
  ],
  tokenDefaultTtlMs: [["limits/access.test.ts", "a token that names no end is taken until the usual time is over"]],
  tokenOverlapMs: [["limits/access.test.ts", "a rotated token is taken for the usual time longer, and not a millisecond more"]],
  tokenMaxOverlapMs: [["limits/access.test.ts", "a rotated token may be taken as long as there may be two, and not longer"]],
  actorLength: [
    ["limits/access.test.ts", "a token's name: as long as it may be, and longer"],
    ["limits/access.test.ts", "the person that a sibling engine names: as long a name as it may have, and longer"],
  ],
  bearerLength: [["limits/access.test.ts", "what is shown to log in: as long as it may be, and longer"]],
  tokenPatterns: [["limits/access.test.ts", "a token's %s: as many patterns as it may have, and one more"]],
  refusalNotedMs: [["limits/access.test.ts", "the same refusal is recorded once within a time, and again after it"]],
  sessionMs: [["limits/access.test.ts", "a session holds as long as it may, and not a millisecond longer"]],
  headerBytes: [["limits/connections.test.ts", "together with its target: as many bytes as there may be, and one more"]],
  headers: [["limits/connections.test.ts", "as many lines as there may be, and one more"]],
  headersMs: [["limits/connections.test.ts", "with its headers is refused; one whose headers came in time may take longer for its body"]],
  requestMs: [["limits/connections.test.ts", "%s is refused, however it drips"]],
  stalledMs: [
    ["limits/connections.test.ts", "a connection that carries nothing for too long is cut off"],
    ["limits/connections.test.ts", "to read is cut off once it takes nothing any more"],
  ],
  keepAliveMs: [["limits/connections.test.ts", "an idle connection is closed, and until then it may be used again"]],
  refusedMs: [["limits/connections.test.ts", "who was refused and goes on sending is cut off after a while"]],
  connections: [["limits/connections.test.ts", "as many connections as there may be, and one more"]],
  entityTags: [
    ["limits/lists.test.ts", "If-None-Match: as many are looked at as may be, and not one more"],
    ["limits/lists.test.ts", "If-Match: as many are looked at as may be, and not one more"],
  ],
  faults: [["limits/lists.test.ts", "as many are named as may be, and not one more: %s"]],
  faultLength: [["limits/lists.test.ts", "each is named in full up to a length, and is cut beyond"]],
  streamsPerToken: [
    ["limits/streams.test.ts", "of one token: as many as it may have and not one more, until one of them ends"],
    ["limits/requests.test.ts", "of one token: as many at a time as may be, and not one more, until one of them ends"],
  ],
  streams: [["limits/streams.test.ts", "of all tokens: as many as there may be and not one more, until one of them ends"]],
  requestsPerSecondPerToken: [
    ["limits/rate.test.ts", "lets a whole burst of %s through and not one more, and then its rate"],
    ["limits/requests.test.ts", "%s: a whole burst is answered and not one more, and from then on as many as the rate says"],
  ],
  requestsPerSecondPerAddress: [
    ["limits/rate.test.ts", "lets a whole burst of %s through and not one more, and then its rate"],
    ["limits/requests.test.ts", "%s: a whole burst is answered and not one more, and from then on as many as the rate says"],
  ],
  burstSeconds: [["limits/rate.test.ts", "lets a whole burst of %s through and not one more, and then its rate"]],
  sessionsPerSecondPerToken: [
    ["limits/requests.test.ts", "with one token: a whole burst and not one more, and from then on as many as the rate says"],
  ],
  sessionsBurstPerToken: [
    ["limits/requests.test.ts", "with one token: a whole burst and not one more, and from then on as many as the rate says"],
  ],
  refusedPerSecondPerAddress: [["limits/requests.test.ts", "without a valid token: as many are told so as may be, and not one more"]],
  refusedBurstPerAddress: [["limits/requests.test.ts", "without a valid token: as many are told so as may be, and not one more"]],
  rateKeys: [["limits/rate.test.ts", "keys are kept by default"]],
  sinkRefusals: [["sinks/monitoring.test.ts", "of many refused records the newest are kept, with their number"]],
  alertEveryMs: [
    ["sinks/monitoring.test.ts", "an audit log that was altered alerts people as soon as somebody verifies it, once within an hour"],
  ],
  webhooks: [["sinks/webhooks.test.ts", "a project has as many webhooks as it may, and not one more"]],
  webhookPatterns: [["sinks/http.test.ts", "a webhook's patterns: as many as it may have, and one more"]],
  webhookRefusals: [
    [
      "sinks/webhooks.test.ts",
      "an event that is refused again and again is noted and passed; a receiver that only refused for a while has everything",
    ],
  ],
  webhookGiveUpMs: [
    [
      "sinks/webhooks.test.ts",
      "a receiver that fails for days is switched off, never silently, and has a new chance when it is switched on",
    ],
  ],
  webhookDeliveries: [["sinks/webhooks.test.ts", "of the attempts the newest are kept"]],
  webhookMaxOverlapMs: [
    ["sinks/webhooks.test.ts", "a rotation may end the secret before at once, and another takes the one before that with it"],
  ],
};

/** Why no request meets a bound, so that nobody is refused for it. */
const unreachable: Readonly<Partial<Record<Bound, string>>> = {
  mapDepth: "A name's level is at most 51, five bits of its hash for each: tests/merkle/node.test.ts reads a damaged node.",
  cachedRevisions: "A cache: what is not in it is asked for, tests/domain/read-index.test.ts.",
  cachedPartitions: "A cache: what is not in it is looked up.",
  promotionRetryMs: "When the engine tries something again by itself.",
  dueAtOnce: "The size of a batch: tests/governed/previews.test.ts has ten of them at once.",
  dueEveryMs: "When the engine looks for what is due.",
  garbageItems: "Where one run of the collector stops: the next goes on.",
  integrityFaults: "Where the report of `npm run store:check` is cut.",
  sweepSeconds: "When the engine sweeps.",
  objectCacheBytes: "A cache: what is not in it is loaded.",
  storeLockMs: "How long a start waits: tests/storage/sqlite-open.test.ts.",
  cachedTokens: "A cache: what is not in it is looked up.",
  notedTokens: "Where notes of use stop being taken, and notes of refusals begin anew: neither is waited for.",
  useNotedMs: "When notes of use are written.",
  shutdownMs: "How long a shutdown takes: tests/http/server.test.ts cuts off what does not finish in time.",
  closingCheckMs: "When a server that closes looks at its connections.",
  slowCheckMs: "When a server looks for clients that are too slow.",
  linesLength: "How large the pieces of a streamed reply are.",
  jwtLength: "Of an identity provider and its tokens: tests/identity.",
  discoveryBytes: "Of an identity provider and its tokens: tests/identity.",
  keySetBytes: "Of an identity provider and its tokens: tests/identity.",
  identityTimeoutMs: "Of an identity provider and its tokens: tests/identity.",
  keySetFreshMs: "Of an identity provider and its tokens: tests/identity.",
  keySetStaleMs: "Of an identity provider and its tokens: tests/identity.",
  unknownKeyMs: "Of an identity provider and its tokens: tests/identity.",
  identityRetryMs: "Of an identity provider and its tokens: tests/identity.",
  keysTried: "Of an identity provider and its tokens: tests/identity.",
  verifiedTokens: "Of an identity provider and its tokens: tests/identity.",
  clockToleranceSeconds: "Of an identity provider and its tokens: tests/identity.",
  identityNameLength: "Of an identity provider and its tokens: tests/identity.",
  mappedRoles: "Of an identity provider and its tokens: tests/identity.",
  mappedPatterns: "Of an identity provider and its tokens: tests/identity.",
  outgoingMs: "Of what goes out and comes back: tests/engines.",
  outgoingMaxMs: "Of what goes out and comes back: tests/engines.",
  connectMs: "Of what goes out and comes back: tests/engines.",
  outgoingKeepAliveMs: "Of what goes out and comes back: tests/engines.",
  outgoingKeepAliveMaxMs: "Of what goes out and comes back: tests/engines.",
  outgoingBytes: "Of what goes out and comes back: tests/engines.",
  outgoingHeaderBytes: "Of what goes out and comes back: tests/engines.",
  replyHeaderBytes: "Of what goes out and comes back: tests/engines.",
  engineReplyBytes: "Of what goes out and comes back: tests/engines.",
  publicReplyBytes: "Of what goes out and comes back: tests/engines.",
  engineConnections: "Of what goes out and comes back: tests/engines.",
  publicConnections: "Of what goes out and comes back: tests/engines.",
  waitingRequests: "Of what goes out and comes back: tests/engines.",
  addressesTried: "Of what goes out and comes back: tests/engines.",
  urlLength: "Of what goes out and comes back: tests/engines.",
  sinkPage: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkTurnMs: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkBatch: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkLeaseMs: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkRetryMs: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkRetryMaxMs: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkSenders: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkQueue: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkTimeoutMs: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  sinkErrorLength: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  alertsAtOnce: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  webhookTimeoutMs: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  webhookOverlapMs: "Of what goes out to sinks, for which nobody waits: tests/sinks.",
  scanPage: "How much a list reads at a time: what it gives does not depend on it.",
  siblingAttempts: "Of what other engines are asked and say: tests/validation, tests/family.",
  siblingFailures: "Of what other engines are asked and say: tests/validation, tests/family.",
  siblingPauseMs: "Of what other engines are asked and say: tests/validation, tests/family.",
  siblingRetryMs: "Of what other engines are asked and say: tests/validation, tests/family.",
  siblingTimeoutMs: "Of what other engines are asked and say: tests/validation, tests/family.",
  validationFaults: "Of what other engines are asked and say: tests/validation, tests/family.",
  validationTextLength: "Of what other engines are asked and say: tests/validation, tests/family.",
  validationsAtOnce: "Of what other engines are asked and say: tests/validation, tests/family.",
  cachedVerdicts: "Of what other engines are asked and say: tests/validation, tests/family.",
  deployMs: "Of what other engines are asked and say: tests/validation, tests/family.",
  deployTextLength: "Of what other engines are asked and say: tests/validation, tests/family.",
  metricSeries: "Operations and statuses, of which there is a fixed number.",
};

test("every bound has a test of both its sides, or a reason why no request can reach it", () => {
  const told = [...Object.keys(testedIn), ...Object.keys(unreachable)];
  expect(told.sort()).toEqual(Object.keys(LIMITS).sort());
});

test("the tests that are named are there", () => {
  const named = Object.entries(testedIn).flatMap(([bound, tests]) => tests.map(([file, title]) => ({ bound, file, title })));
  const missing = named.filter(({ file, title }) => !readFileSync(new URL(`../${file}`, import.meta.url), "utf8").includes(title));
  expect(missing).toEqual([]);
  expect(named.length).toBeGreaterThan(Object.keys(testedIn).length);
});
