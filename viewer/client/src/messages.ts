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

/** A face and its place on the pad of valence and arousal, -1 to 1; aublend.emotion_pad says what lies between. */
export interface PadPoint {
  readonly name: string;
  readonly valence: number;
  readonly arousal: number;
  readonly units: Readonly<Record<string, number>>;
}

/** How one unit is made of ARKit's shapes and read back from them; see data_specs/arkit.toml. */
export interface ArkitUnit {
  readonly name: string;
  readonly match: string;
  readonly left: Readonly<Record<string, number>>;
  readonly right: Readonly<Record<string, number>>;
  readonly middle: Readonly<Record<string, number>>;
  readonly read: readonly string[];
}

/** Everything that the page needs besides the GLB. */
export interface ViewerMetadata {
  readonly title: string;
  readonly units: readonly UnitInfo[];
  readonly emotions: readonly EmotionPreset[];
  readonly pad: readonly PadPoint[];
  readonly arkit_shapes: readonly string[];
  readonly arkit: readonly ArkitUnit[];
  readonly autoplay: boolean;
  readonly weights: Readonly<Record<string, number>>;
}

/** How far the server is with a head that the page sent. */
export interface HeadJob {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly stage: string;
  readonly error: string;
}
