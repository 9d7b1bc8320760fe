import { MINUTE_MS } from "../domain/event";
import { fixedWindows, type PCollection, windowInto, withName } from "../engine";

/**
 * Puts elements into fixed one-minute windows of event time.
 * In: anything whose timestamp lies in its minute. Out: the same. Windowing: fixed 60 s. Replay: the same windows.
 */
export function windowIntoMinutes<T>(name: string, elements: PCollection<T>): PCollection<T> {
  return elements.apply(withName(name, windowInto(fixedWindows({ sizeMs: MINUTE_MS }))));
}
