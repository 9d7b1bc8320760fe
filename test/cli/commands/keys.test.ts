// SPDX-License-Identifier: Apache-2.0
/** `keys create` refuses what `POST /v1/keys` refuses, by the same judge, and makes nothing then. */
import { Command } from "commander";
import * as keys from "../../../cli/commands/keys";
import { SqliteAccessKeys } from "../../../io/sqlite/access-keys";
import { removeFolders, temporaryFolder } from "../../io/ports/condition";

afterAll(removeFolders);

it.each([
  [["--scope", "read", "--expires", "2020-01-01T00:00:00Z"], /^expiresAt: a time to come is wanted, not 2020-/],
  [["--scope", "read", "--expires", "0h"], /^expiresAt: a time to come is wanted/],
  [["--scope", "read", "--expires", "tomorrow"], /a time to come is wanted, as 2027-/],
  [["--scope", "read", "--event-type", "VIEW"], /^eventTypes: a key without scope write/],
  [["--scope", "read,operate", "--event-type", "VIEW,LIKE"], /^eventTypes: a key without scope write/],
])("keys create %j is an error that names the property", async (flags, message) => {
  const folder = temporaryFolder();
  const program = new Command("viewmill").exitOverride();
  keys.register(program);
  for (const command of program.commands.flatMap((each) => each.commands)) {
    command.exitOverride().configureOutput({ writeErr: () => undefined });
  }
  const args = ["node", "viewmill", "keys", "create", "--name", "n", "--data", folder, ...flags];
  await expect(program.parseAsync(args)).rejects.toThrow(message);
  const store = new SqliteAccessKeys({ folder });
  expect(await store.list(0)).toEqual([]);
  await store.close();
});
