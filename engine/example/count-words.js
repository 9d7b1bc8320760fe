// SPDX-License-Identifier: Apache-2.0
// Counts the words of a sentence by their length, into word-lengths.txt: `node count-words.js` runs on the direct
// runner, in this process.
const { appendFileSync } = require("node:fs");
const { generate, groupByKey, register, runDirect, withName } = require("@viewmill/engine");

exports.Words = class {
  *generate() {
    yield* "to be or not to be that is the question".split(" ");
  }
};
exports.byLength = (word) => ({ key: `${word.length} letters`, value: word });
exports.write = ({ key, value }) => appendFileSync("word-lengths.txt", `${key}: ${[...value].length}\n`);
register(module);

exports.graph = (root) => {
  generate(root, "Words", new exports.Words())
    .map(withName("ByLength", exports.byLength))
    .apply(withName("Group", groupByKey()))
    .map(withName("Write", exports.write));
};

if (require.main === module) runDirect(exports.graph);
