// The phones under the waveform: each boundary is dragged, or moved by the keyboard, each sound can be named anew, and
// the mouth follows.

import { element } from "./elements";
import type { SpokenPhone } from "./messages";
import { PhoneField } from "./phone_field";
import { phoneLabel, withBoundary } from "./phones";
import type { TimeView } from "./time_view";

/** Beyond this many phones in sight their boundaries cannot be told apart: zooming in brings them back. */
const MOST_BOUNDARIES = 240;
const STEP_S = 0.01;
const UNSURE = 0.4;
/** Room that a letter needs. */
const LABEL_PX = 8;

export interface PhoneEvents {
  /** A boundary moved; `done` when the gesture is over. */
  changed(phones: readonly SpokenPhone[], done: boolean): void;
  /** What was typed is no phone. */
  refused(message: string): void;
}

export class PhoneLane {
  readonly root: HTMLElement;
  private readonly area = element("div", { class: "area phones", role: "group" });
  private readonly name = element("span", { class: "lane-name" }, "Phones");
  private phones: readonly SpokenPhone[] = [];
  private drawn = "";
  private editable = false;
  private attended = 0;
  private blocks: HTMLElement[] = [];
  private handles = new Map<number, HTMLElement>();
  private readonly field: PhoneField;

  /** @param symbols that a phone may have. */
  constructor(
    private readonly view: TimeView,
    private readonly events: PhoneEvents,
    symbols: readonly string[],
  ) {
    this.field = new PhoneField(symbols, {
      renamed: (phones) => events.changed(phones, true),
      refused: (message) => events.refused(message),
      left: () => this.handles.get(this.attended)?.focus(),
    });
    this.root = element("div", { class: "track-row phone-row", hidden: true }, this.name, this.area);
    view.listen(this.area);
  }

  show(phones: readonly SpokenPhone[], editable: boolean): void {
    const span = `${this.view.start} ${this.view.end} ${editable}`;
    if (phones === this.phones && span === this.drawn) return;
    this.phones = phones;
    this.drawn = span;
    this.editable = editable;
    this.root.hidden = phones.length === 0;
    this.area.setAttribute(
      "aria-label",
      editable ? "Phones; their boundaries can be moved, and a double click or Enter names a sound anew" : "Phones",
    );
    this.rebuild();
  }

  private rebuild(): void {
    const focused = this.area.contains(document.activeElement);
    const { view, phones } = this;
    const inside = phones.flatMap((phone, place) =>
      phone.end_s > view.start && phone.start_s < view.end ? [place] : [],
    );
    const names = inside.length <= 2 * MOST_BOUNDARIES ? inside : [];
    this.blocks = names.map((place) => this.block(place));
    this.handles.clear();
    const inner = inside.filter((place) => place < phones.length - 1 && view.shows(phones[place].end_s));
    if (this.editable && inner.length <= MOST_BOUNDARIES) {
      if (!inner.includes(this.attended)) this.attended = inner[0] ?? 0;
      for (const place of inner) this.handles.set(place, this.handle(place));
    }
    this.area.replaceChildren(...this.blocks, ...this.handles.values());
    if (inside.length > names.length) this.area.append(element("p", { class: "hint" }, "Zoom in to see the phones."));
    if (focused) this.handles.get(this.attended)?.focus();
  }

  private block(place: number): HTMLElement {
    const phone = this.phones[place];
    const made = element("div", { class: "phone" }, element("span", {}, phoneLabel(phone)));
    if (phoneLabel(phone) === "") made.classList.add("silent");
    else if (phone.confidence < UNSURE) made.classList.add("unsure");
    const sure = phone.confidence < UNSURE ? ", not sure" : "";
    made.title = `${phone.symbol}${phone.word === "" ? "" : ` in “${phone.word}”`}, ${phone.start_s.toFixed(2)} to ${phone.end_s.toFixed(2)} s${sure}${this.editable ? ". Double click: another sound" : ""}`;
    this.place(made, phone);
    if (this.editable) made.addEventListener("dblclick", () => this.rename(place));
    return made;
  }

  private rename(place: number): void {
    const phone = this.phones[place];
    if (phone === undefined) return;
    this.field.open(this.area, this.phones, place, this.view.percent(Math.max(phone.start_s, this.view.start)));
  }

  private place(block: HTMLElement, phone: SpokenPhone): void {
    const [from, to] = [Math.max(this.view.share(phone.start_s), 0), Math.min(this.view.share(phone.end_s), 1)];
    block.style.left = `${100 * from}%`;
    block.style.width = `${100 * Math.max(to - from, 0)}%`;
    block.classList.toggle("narrow", Math.max(to - from, 0) * this.area.clientWidth < LABEL_PX * phone.symbol.length);
  }

  private handle(place: number): HTMLElement {
    const made = element("div", { class: "boundary", role: "slider", tabindex: place === this.attended ? 0 : -1 });
    this.tell(made, place);
    let moved: readonly SpokenPhone[] | null = null;
    made.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      made.setPointerCapture(event.pointerId);
      moved = this.phones;
      this.attend(place);
    });
    made.addEventListener("pointermove", (event) => {
      if (moved === null) return;
      const box = this.area.getBoundingClientRect();
      const time = this.view.time((event.clientX - box.left) / box.width);
      moved = withBoundary(this.phones, place, Math.round(time * 1000) / 1000);
      this.preview(moved, place, made);
    });
    const release = (): void => {
      const result = moved;
      moved = null;
      if (result !== null && result !== this.phones) this.events.changed(result, true);
    };
    made.addEventListener("pointerup", release);
    made.addEventListener("pointercancel", release);
    made.addEventListener("keydown", (event) => this.pressed(event, place));
    made.addEventListener("focus", () => (this.attended = place));
    return made;
  }

  private pressed(event: KeyboardEvent, place: number): void {
    if (event.key === "Enter") {
      event.preventDefault();
      event.stopPropagation();
      return this.rename(event.shiftKey ? place + 1 : place);
    }
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    const leap = { PageUp: -1, PageDown: 1 }[event.key];
    if (leap !== undefined) {
      const places = [...this.handles.keys()];
      const next = places[places.indexOf(place) + leap];
      if (next !== undefined) this.attend(next);
    } else if (step !== undefined) {
      const time = this.phones[place].end_s + step * STEP_S * (event.shiftKey ? 5 : 1);
      const moved = withBoundary(this.phones, place, Math.round(time * 1000) / 1000);
      if (moved !== this.phones) this.events.changed(moved, true);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private attend(place: number): void {
    this.handles.get(this.attended)?.setAttribute("tabindex", "-1");
    this.attended = place;
    const handle = this.handles.get(place);
    handle?.setAttribute("tabindex", "0");
    handle?.focus();
  }

  private preview(phones: readonly SpokenPhone[], place: number, handle: HTMLElement): void {
    handle.style.left = this.view.percent(phones[place].end_s);
    const first = this.blocks.findIndex((block) => block === this.blockOf(place));
    if (first < 0) return;
    this.place(this.blocks[first], phones[place]);
    if (first + 1 < this.blocks.length) this.place(this.blocks[first + 1], phones[place + 1]);
  }

  private blockOf(place: number): HTMLElement | undefined {
    const begin = this.phones.findIndex((phone) => phone.end_s > this.view.start);
    return this.blocks[place - begin];
  }

  private tell(handle: HTMLElement, place: number): void {
    const [before, after] = [this.phones[place], this.phones[place + 1]];
    const words = [before, after].map((phone) => (phone.symbol === "SIL" ? "silence" : phone.symbol));
    handle.style.left = this.view.percent(before.end_s);
    handle.setAttribute("aria-label", `Boundary from ${words[0]} to ${words[1]}`);
    handle.setAttribute("aria-valuemin", before.start_s.toFixed(2));
    handle.setAttribute("aria-valuemax", after.end_s.toFixed(2));
    handle.setAttribute("aria-valuenow", before.end_s.toFixed(3));
    handle.setAttribute("aria-valuetext", `${before.end_s.toFixed(2)} seconds`);
    handle.title = `${words[0]} | ${words[1]} at ${before.end_s.toFixed(2)} s. Drag or arrows; Page Up and Down: other boundaries; Enter: name the sound before it, with shift the one after`;
  }
}
