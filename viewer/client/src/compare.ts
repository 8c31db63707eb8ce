// A second head beside the first: both move by the one stream of weights, unit by unit of the same name.

import { element } from "./elements";
import { Head } from "./head";
import { restPose, type Pose } from "./pose";
import type { Source } from "./source";
import type { Stage } from "./stage";

export class Compare {
  readonly captions = element("div", { class: "captions", hidden: true });
  head: Head | null = null;
  source: Source | null = null;
  private placeOf: number[] = [];

  constructor(private readonly stage: Stage) {}

  get active(): boolean {
    return this.head !== null;
  }

  /** Throws an Error when the file is no head. */
  show(source: Source, first: string, units: readonly string[]): void {
    this.head = new Head(source.glb, this.stage, 1);
    this.source = source;
    this.placeOf = this.head.names.map((name) => units.indexOf(name));
    this.captions.hidden = false;
    this.captions.replaceChildren(element("span", {}, first), element("span", {}, source.metadata.title));
  }

  rename(first: string): void {
    this.captions.firstElementChild?.replaceChildren(first);
  }

  clear(): void {
    this.head = this.source = null;
    this.captions.hidden = true;
    this.stage.showOne();
  }

  /** @param pose of the first head. */
  pose(pose: Pose): void {
    if (this.head === null) return;
    const own = restPose(this.placeOf.length);
    this.placeOf.forEach((place, unit) => {
      if (place < 0) return;
      own[unit] = pose[place];
      own[this.placeOf.length + unit] = pose[pose.length / 2 + place];
    });
    this.head.show(own);
  }
}
