// SPDX-License-Identifier: Apache-2.0
import { type NameSpans, NameTable } from "./name-table";

/** Types of one space of names at most; video * TYPE_SPAN + type stays a safe integer. */
export const TYPE_SPAN = 2 ** 21;

/**
 * Names by number, for panes that share them: a batch's names are looked up once, whichever panes its events belong to.
 */
export class PaneNames {
  readonly videos: NameTable;
  readonly types: NameTable;
  private readonly videoTexts: string[] = [];
  private readonly typeTexts: string[] = [];

  /** `seed`: at least 2 random words, as a Pane's. */
  constructor(seed: Uint32Array) {
    this.videos = new NameTable(seed[0]!);
    this.types = new NameTable(seed[1]!, TYPE_SPAN);
  }

  numbersOf(videos: NameSpans, types: NameSpans): BatchNumbers {
    return { names: this, videos: this.videos.indexSpans(videos), types: this.types.indexSpans(types) };
  }

  /** The same string at every call: a reader's Map finds it by its kept hash. */
  videoText(video: number): string {
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

/** A batch's own numbers of names -> the numbers they have in `names`. */
export interface BatchNumbers {
  names: PaneNames;
  videos: Uint32Array;
  types: Uint32Array;
}
