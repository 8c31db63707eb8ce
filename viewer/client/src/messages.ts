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

/** One sound of speech; `symbol` is ARPAbet without stress, SIL where nothing is said. */
export interface SpokenPhone {
  readonly symbol: string;
  readonly start_s: number;
  readonly end_s: number;
  readonly word: string;
  readonly stress: number;
  readonly confidence: number;
}

/** What the page wants to be said: a sound that it sent, its text, or phones whose times the reader has edited. */
export interface SpeechRequest {
  readonly sound: string;
  readonly text: string;
  readonly emotion: string;
  readonly intensity: number;
  readonly phones: readonly SpokenPhone[];
}

/** Weights of one layer, a row a frame; "AU12L" is AU12 on the subject's left only. */
export interface DenseCurves {
  readonly names: readonly string[];
  readonly rows: readonly (readonly number[])[];
}

/** What the server made of speech: curves to be added up, phones, and how surely they were recognised. */
export interface SpeechResult {
  readonly fps: number;
  readonly seconds: number;
  readonly speech: DenseCurves;
  readonly emotion: DenseCurves;
  readonly phones: readonly SpokenPhone[];
  readonly source: string;
  readonly confidence: number;
  readonly words: string;
  readonly notes: readonly string[];
  readonly open_contacts: number;
  readonly sound: string;
}

/** A sound that comes with the page, base64 of its file, and what it says. */
export interface EmbeddedSound {
  readonly name: string;
  readonly content: string;
  readonly phones: readonly SpokenPhone[];
}

/** A way of moving a face that the server can build a rig in; see data_specs/styles.toml. */
export interface StyleInfo {
  readonly name: string;
  readonly description: string;
}

/** Something that lies with the server and that the page can ask for by its number. */
export interface OpeningInfo {
  readonly name: string;
  readonly subject: string;
  readonly expression: string;
  readonly moves: boolean;
}

/** Where things are on a head: landmarks on its surface, and masks of its regions, on its file's own vertices. */
export interface HeadMap {
  readonly landmark_names: readonly string[];
  readonly landmark_vertices: readonly number[];
  readonly landmark_shares: readonly number[];
  readonly region_names: readonly string[];
  readonly regions: string;
}

/** The curves behind a sequence that the page sent. */
export interface SolvedCurves {
  readonly fps: number;
  readonly curves: DenseCurves;
  readonly notes: readonly string[];
}

/** What FACET-VLM says about a face, and the pictures that it looked at. */
export interface Reading {
  readonly labels: readonly string[];
  readonly probabilities: readonly number[];
  readonly pictures: readonly string[];
  readonly views: readonly string[];
  readonly view_weights: readonly number[];
  readonly seconds: number;
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
  readonly sound: EmbeddedSound | null;
  readonly arkit_rotations: readonly string[];
  readonly seed: number | null;
  readonly styles: readonly StyleInfo[];
  readonly openings: readonly OpeningInfo[];
  readonly opens: number | null;
  readonly phones: readonly string[];
}

/** How far the server is with a head that the page sent. */
export interface HeadJob {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly stage: string;
  readonly error: string;
}
