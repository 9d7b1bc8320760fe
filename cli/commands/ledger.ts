// SPDX-License-Identifier: Apache-2.0
import type { Command } from "commander";
import { asTable, orOneLine, readService, shortTime, withRangeOptions, withReadOptions } from "../reading/read-service";
import { type ServiceAddress, serviceAddress } from "../reading/service-url";

interface Flags {
  start?: string;
  end?: string;
  json?: boolean;
}

interface Books {
  accepted: number;
  archived: number;
  counted: number;
  duplicate: number;
  late: number;
  lost?: number;
  balanced: boolean;
}

interface Ledger {
  start: string;
  end: string;
  minutes: (Books & { start: string; lostReason?: string })[];
  totals: Books & { rejected: number };
}

export function register(program: Command): void {
  const command = program
    .command("ledger")
    .description(
      "the books, minute by minute of event time: accepted = archived + lost, archived = counted + duplicate + late",
    );
  withReadOptions(withRangeOptions(command)).action((flags: Flags, asked: Command) =>
    orOneLine(() => ledger(flags, serviceAddress(asked))),
  );
}

async function ledger({ start, end, json }: Flags, service: ServiceAddress): Promise<void> {
  const { content, text } = await readService<Ledger>(service, "/v1/ledger", { start, end });
  process.stdout.write(json === true ? `${text}\n` : shown(content));
}

function shown({ start, end, minutes, totals }: Ledger): string {
  const heads = ["minute", "accepted", "archived", "counted", "duplicate", "late", "balanced"];
  const row = (name: string, { accepted, archived, counted, duplicate, late, balanced }: Books) => [
    name,
    accepted,
    archived,
    counted,
    duplicate,
    late,
    balanced ? "yes" : "not yet",
  ];
  const rows = [...minutes.map((minute) => row(shortTime(minute.start), minute)), row("total", totals)];
  const head = `from ${shortTime(start)} to ${shortTime(end)}`;
  const losses = minutes.filter(({ lost = 0 }) => lost > 0);
  const lost = losses.map(({ start, lost, lostReason }) => `${shortTime(start)}: ${lost} written off: ${lostReason}\n`);
  return `${head}\n${asTable(heads, rows)}${lost.join("")}rejected on receipt: ${totals.rejected}\n`;
}
