export const OBJECTS_FAMILY = "o";
export const MESSAGES_FAMILY = "g";
export const SEQUENCE_FAMILY = "s";
export const BOOKS_FAMILY = "b";
export const PARTITION_FAMILY = "p";
export const AUDITED_FAMILY = "a";
export const AUDIT_FAMILY = "r";
