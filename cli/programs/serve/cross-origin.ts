import cors from "cors";
import type { RequestHandler } from "express";

/** Browsers ask again after this (Chromium caps it at two hours). */
const PREFLIGHT_SECONDS = 7_200;
const READABLE_HEADERS = ["ETag", "Retry-After", "Viewmill-As-Of", "Viewmill-Complete-Through"];

/** Lets pages of these origins send events and read numbers, without cookies. Other origins get no header, so their browsers refuse. */
export function crossOrigin(origins: readonly string[]): RequestHandler {
  if (origins.length === 0) return (_request, _response, next) => next();
  return cors({
    origin: origins.includes("*") ? "*" : [...origins],
    methods: ["GET", "HEAD", "POST"],
    exposedHeaders: READABLE_HEADERS,
    maxAge: PREFLIGHT_SECONDS,
  });
}
