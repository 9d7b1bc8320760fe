// SPDX-License-Identifier: Apache-2.0
/**
 * npm run fuzz -- --minutes N [--seed S] [--only TARGET]: random input for every decoder and for the HTTP surface of a
 * running service. A finding is printed, shrunk and kept in test/system/fuzz/corpus, which npm test replays; the exit
 * status is 1. The seed is printed, too.
 */
import { parseArgs } from "node:util";
import { cleanUp, Service } from "../end-to-end/service";
import { corpusOf, keep, shrunk } from "./corpus";
import { Random } from "./random";
import { ServiceRounds } from "./service-round";
import { type Target, targets } from "./targets";

const INPUTS_A_TURN = 500;
const HTTP = "http";

function failure(target: Target, bytes: Buffer): string | undefined {
  try {
    target.check(bytes);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
}

/** Answers how many findings there were. */
function fuzzTarget(target: Target, random: Random): number {
  const known = corpusOf(target.name).map(({ bytes }) => bytes);
  for (let n = 0; n < INPUTS_A_TURN; n++) {
    const good = known.length > 0 && random.chance(0.2) ? random.pick(known) : target.input(random);
    const bytes = random.chance(0.1) ? Buffer.from(good) : random.mutate(good, known);
    const found = failure(target, bytes);
    if (found === undefined) continue;
    const least = shrunk(bytes, (less) => failure(target, less) !== undefined);
    process.stdout.write(`FOUND by ${target.name}, kept in ${keep(target.name, least)}:\n${failure(target, least)}\n`);
    return 1;
  }
  return 0;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { minutes: { type: "string", default: "1" }, seed: { type: "string" }, only: { type: "string" } },
  });
  const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
  const asked = (name: string) => values.only === undefined || values.only === name;
  const chosen = targets.filter(({ name }) => asked(name));
  const surface = asked(HTTP);
  if (chosen.length === 0 && !surface) throw new Error(`no such target: ${values.only}`);
  const random = new Random(seed);
  const endsAt = performance.now() + Number(values.minutes) * 60_000;
  process.stdout.write(`fuzzing for ${values.minutes} min with seed ${seed}\n`);
  let [findings, inputs, rounds] = [0, 0, 0];
  const service = surface ? await Service.start() : undefined;
  const roundsOfService = service === undefined ? undefined : new ServiceRounds(service, random);
  while (performance.now() < endsAt) {
    for (const target of chosen) {
      findings += fuzzTarget(target, random);
      inputs += INPUTS_A_TURN;
    }
    if (roundsOfService === undefined) continue;
    try {
      await roundsOfService.round();
      rounds++;
    } catch (error) {
      process.stdout.write(`FOUND by ${HTTP} with seed ${seed}:\n${(error as Error).stack}\n`);
      findings++;
      break;
    }
  }
  process.stdout.write(
    `${inputs} inputs of ${chosen.length} decoders, ${rounds} rounds of HTTP: ${findings} findings\n`,
  );
  return findings;
}

main()
  .finally(cleanUp)
  .then(
    (findings) => process.exit(findings === 0 ? 0 : 1),
    (error: unknown) => {
      process.stderr.write(`${(error as Error).stack}\n`);
      process.exit(2);
    },
  );
