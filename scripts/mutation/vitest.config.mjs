// The suites that may notice a mutant of the folder at hand: VIEWMILL_MUTATION_TESTS, set by scripts/mutation.mjs.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import base from "../../vitest.config.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const include = JSON.parse(process.env.VIEWMILL_MUTATION_TESTS ?? "[]");

export default { ...base, root, test: { ...base.test, include, silent: true, testTimeout: 300_000 } };
