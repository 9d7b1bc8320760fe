// SPDX-License-Identifier: Apache-2.0
/**
 * `viewmill/client` as pages load it: the same names as in Node, with a client that handles the page's end. The service
 * publishes its build as /client.js, and the dashboard's demo traffic uses it.
 */
export { EventError, type EventErrorReason, EventsError } from "../errors";
export type { ClientEvent, EventFunction } from "../read-event";
export { uuidV7 } from "../uuid-v7";
export type { Drained } from "../viewmill-client";
export { PageClient as ViewmillClient, type PageClientOptions as ViewmillClientOptions } from "./page-client";
