import { describeVault } from "./conformance.ts";
import { describeSecrets } from "./stand-ins/domain.ts";

describeVault("builtin");
describeSecrets("builtin");
