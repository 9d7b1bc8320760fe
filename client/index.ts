/** `viewmill/client`: sends events to a Viewmill service, from Node and from browsers (nothing but fetch is needed). */
export type { Compressor } from "./compress";
export { Delivery, type DeliveryOptions, type DeliveryOutcome } from "./delivery";
export { EventError, type EventErrorReason, EventsError } from "./errors";
export { uuidV7 } from "./uuid-v7";
export { type ClientEvent, type EventFunction, ViewmillClient, type ViewmillClientOptions } from "./viewmill-client";
