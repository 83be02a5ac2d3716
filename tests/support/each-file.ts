import { afterAll, afterEach, inject } from "vitest";
import { cleanUpAfterFile, cleanUpAfterTest } from "./clean-up.ts";

// Run anew for each file, which nothing that tests import is: one process runs many files, and loads what they share once.
afterEach(cleanUpAfterTest);
afterAll(cleanUpAfterFile);

const temporary = inject("temporary");
if (temporary !== null) process.env.TMPDIR = temporary;
