// Generated from viewer/messages.py by `python -m viewer.generate_types`; do not edit.

/** What the panel shows about one action unit; `name` is the name of its morph target. */
export interface UnitInfo {
  readonly name: string;
  readonly facs_name: string;
  readonly muscle: string;
  readonly group: string;
  readonly description: string;
}

/** A named expression as weights of action units at full intensity; "AU12L" is AU12 on the subject's left only. */
export interface EmotionPreset {
  readonly name: string;
  readonly units: Readonly<Record<string, number>>;
}

/** Everything that the page needs besides the GLB. */
export interface ViewerMetadata {
  readonly title: string;
  readonly units: readonly UnitInfo[];
  readonly emotions: readonly EmotionPreset[];
  readonly autoplay: boolean;
  readonly weights: Readonly<Record<string, number>>;
}
