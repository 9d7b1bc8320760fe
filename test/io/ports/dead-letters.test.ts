// SPDX-License-Identifier: Apache-2.0
import { StoreUnavailableError } from "../../../io/ports";
import { SqliteDeadLetters } from "../../../io/sqlite/dead-letters";
import { removeFolders, temporaryFolder } from "./condition";
import { deadLettersContract, letter } from "./dead-letters-contract";

let folder = "";
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(removeFolders);

deadLettersContract("SqliteDeadLetters", {
  open: async (options) => new SqliteDeadLetters({ folder, ...options }),
  bounded: true,
});

describe("SqliteDeadLetters", () => {
  it("is listed and marked by another connection while letters arrive", async () => {
    const service = new SqliteDeadLetters({ folder });
    const commandLine = new SqliteDeadLetters({ folder });
    await service.append([letter("first")]);
    const arriving = Promise.all(Array.from({ length: 50 }, (_, n) => service.append([letter(`later ${n}`)])));
    const [first] = await commandLine.list({ limit: 1 });
    await commandLine.markReplayed([first!.id], 5);
    await arriving;
    expect(await service.list({ limit: 100, replayed: false })).toHaveLength(50);
    expect((await service.get(first!.id))?.replayedAtMs).toBe(5);
    await commandLine.close();
    await service.close();
  });

  it("says that the store is full and keeps what it acknowledged", async () => {
    const letters = new SqliteDeadLetters({ folder, maxFileBytes: 400_000 });
    let acknowledged = 0;
    const fill = async () => {
      for (;;) {
        await letters.append([letter("x".repeat(50_000))]);
        acknowledged++;
      }
    };
    await expect(fill()).rejects.toThrow(StoreUnavailableError);
    expect(acknowledged).toBeGreaterThan(1);
    expect(await letters.list({ limit: 100 })).toHaveLength(acknowledged);
    await letters.append([letter("a small one still fits")]);
    await letters.close();
  });
});
