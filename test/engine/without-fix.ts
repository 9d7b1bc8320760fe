// SPDX-License-Identifier: Apache-2.0
/**
 * `node without-fix.js <fix>`: runs the fix's scenario in a process that leaves this one fix out, and prints what it
 * saw as JSON.
 */
import { applyFixes, type FixName } from "../../engine/fixes";
import { scenarios } from "./scenarios";

const fix = process.argv[2] as FixName;
applyFixes(fix);
const scenario = scenarios[fix];
const print = process.stdout.write.bind(process.stdout);
process.stdout.write = (() => true) as typeof process.stdout.write;
const saw = (value: unknown) => print(JSON.stringify(value ?? null), () => process.exit(0));
scenario?.().then(saw, (error) => saw({ threw: String(error) }));
