// SPDX-License-Identifier: Apache-2.0
import { type Browser, chromium } from "playwright-core";
import { debianProgram } from "./debian";

/** Nothing of the browser's own goes to the network. */
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Debian's Chromium, driven by playwright-core. Suites and measurements look at pages with it. */
export async function startBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: await debianProgram("chromium"), args: ARGUMENTS });
}
