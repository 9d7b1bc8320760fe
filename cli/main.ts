#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * The command `viewmill`. Any Node from 20 on may start it, so no newer feature is loaded before the version is
 * checked.
 */
import { commandLine } from "./environment";
import { otherNode, runByOtherNode } from "./pinned-node";
import { restartWithReturnedMemory } from "./returned-memory";

const other = otherNode();
if (other === undefined) {
  if (commandLine()[2] === "serve") restartWithReturnedMemory([__filename, ...commandLine().slice(2)]);
  import("./program.js").then(({ run }) => run());
} else if ("problem" in other) {
  process.stderr.write(`viewmill: ${other.problem}\n`);
  process.exit(1);
} else {
  runByOtherNode(other.node, [...process.execArgv, __filename, ...commandLine().slice(2)]);
}
