#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
/**
 * The command `viewmill`. It may be started by any Node that can be installed from >= 20 on, so nothing newer is loaded
 * before the Node is looked at.
 */
import { commandLine } from "./environment";
import { otherNode, runByOtherNode } from "./pinned-node";

const other = otherNode();
if (other === undefined) {
  import("./program.js").then(({ run }) => run());
} else if ("problem" in other) {
  process.stderr.write(`viewmill: ${other.problem}\n`);
  process.exit(1);
} else {
  runByOtherNode(other.node, [...process.execArgv, __filename, ...commandLine().slice(2)]);
}
