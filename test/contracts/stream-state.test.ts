import { SqliteStreamState } from "../../io/sqlite/stream-state";
import { removeFolders, temporaryFolder } from "./condition";
import { streamStateContract } from "./stream-state-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

streamStateContract("SqliteStreamState", { open: async () => new SqliteStreamState({ folder }) });
