// SPDX-License-Identifier: Apache-2.0
/**
 * Numbers for the names of videos and types that several panes of one process share. Panes, their cells and their
 * counts refer to names by these numbers.
 */
import type { VideoNames } from "./minute-counts";
import { type NameSpans, NameTable } from "./name-table";

/** The largest number of types of one space of names: video * TYPE_SPAN + type stays a safe integer. */
export const TYPE_SPAN = 2 ** 21;

/**
 * Numbered names that several panes share: a batch's names are looked up once, whichever panes its events belong to.
 */
export class PaneNames implements VideoNames {
  readonly videos: NameTable;
  readonly types: NameTable;
  private readonly videoTexts: string[] = [];
  private readonly typeTexts: string[] = [];

  /** `seed` has at least two random words, as for a Pane. */
  constructor(seed: Uint32Array) {
    this.videos = new NameTable(seed[0]!);
    this.types = new NameTable(seed[1]!, TYPE_SPAN);
  }

  numbersOf(videos: NameSpans, types: NameSpans): BatchNumbers {
    return { names: this, videos: this.videos.indexSpans(videos), types: this.types.indexSpans(types) };
  }

  get videoCount(): number {
    return this.videos.size;
  }

  /** Makes a string at every call: a process that sends each name once to its writing thread keeps none of them. */
  videoText(video: number): string {
    return this.videos.text(video);
  }

  /** Returns the same string object at every call, so that a reader's Map uses the hash that the string keeps. */
  keptVideoText(video: number): string {
    let text = this.videoTexts[video];
    if (text === undefined) {
      text = this.videos.text(video);
      while (this.videoTexts.length < video) this.videoTexts.push(this.videos.text(this.videoTexts.length));
      this.videoTexts[video] = text;
    }
    return text;
  }

  typeText(type: number): string {
    while (this.typeTexts.length <= type) this.typeTexts.push(this.types.text(this.typeTexts.length));
    return this.typeTexts[type]!;
  }
}

/** Maps a batch's own numbers of names to the numbers they have in `names`. */
export interface BatchNumbers {
  names: PaneNames;
  videos: Uint32Array;
  types: Uint32Array;
}
