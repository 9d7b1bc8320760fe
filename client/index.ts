// SPDX-License-Identifier: Apache-2.0
/** `viewmill/client`: sends events to a Viewmill service, from Node and from browsers (nothing but fetch is needed). */
export type { Compressor } from "./compress";
export { type BodyOptions, Delivery, type DeliveryOptions, type DeliveryOutcome } from "./delivery";
export { EventError, type EventErrorReason, EventsError } from "./errors";
export type { ClientEvent, EventFunction } from "./read-event";
export { uuidV7 } from "./uuid-v7";
export { type Drained, ViewmillClient, type ViewmillClientOptions } from "./viewmill-client";
