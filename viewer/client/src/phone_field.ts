// A small field over a phone, in which the reader types or picks another sound.

import { element } from "./elements";
import type { SpokenPhone } from "./messages";
import { withSymbol } from "./phones";

const LIST_ID = "phone-symbols";

export interface FieldEvents {
  renamed(phones: readonly SpokenPhone[]): void;
  refused(message: string): void;
  /** The keyboard left the field without another sound. */
  left(): void;
}

export class PhoneField {
  private readonly input = element("input", { type: "text", class: "phone-field", list: LIST_ID, maxlength: 4 });
  private readonly list: HTMLElement;
  private phones: readonly SpokenPhone[] = [];
  private place = 0;

  constructor(
    private readonly symbols: readonly string[],
    private readonly events: FieldEvents,
  ) {
    this.list = element("datalist", { id: LIST_ID }, ...symbols.map((value) => element("option", { value })));
    this.input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") this.take();
      if (event.key === "Escape") this.close();
      if (event.key === "Enter" || event.key === "Escape") this.events.left();
    });
    this.input.addEventListener("blur", () => this.take());
  }

  /** Shows the field at a place of the lane. */
  open(area: HTMLElement, phones: readonly SpokenPhone[], place: number, left: string): void {
    [this.phones, this.place] = [phones, place];
    const { symbol, word } = phones[place];
    this.input.value = symbol;
    this.input.setAttribute("aria-label", `Sound${word === "" ? "" : ` in ${word}`}, now ${symbol}`);
    this.input.style.left = `min(${left}, calc(100% - 64px))`;
    area.append(this.input, this.list);
    this.input.focus();
    this.input.select();
  }

  private take(): void {
    if (!this.input.isConnected) return;
    const typed = this.input.value;
    this.close();
    const renamed = withSymbol(this.phones, this.place, typed, this.symbols);
    if (renamed === null) this.events.refused(`${typed}: expected one of ${this.symbols.join(", ")}.`);
    else if (renamed !== this.phones) this.events.renamed(renamed);
  }

  private close(): void {
    this.input.remove();
    this.list.remove();
  }
}
