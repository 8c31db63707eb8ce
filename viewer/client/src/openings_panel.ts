// The records of a data set that lies with the server: found by subject, expression or name, opened by a click.

import type { App } from "./app";
import { button, element } from "./elements";

const MOST_SHOWN = 200;

export class OpeningsPanel {
  readonly root: HTMLElement;
  private readonly search = element("input", {
    type: "search", class: "record-search", placeholder: "Subject or expression", "aria-label": "Find a record",
  }); // prettier-ignore
  private readonly list = element("div", { class: "records" });
  private readonly count = element("p", { class: "hint", role: "status" });

  constructor(private readonly app: App) {
    this.root = element(
      "section",
      { class: "dock-panel", "aria-labelledby": "openings-heading", hidden: true },
      element("h2", { id: "openings-heading" }, "Data set"),
      this.search,
      this.count,
      this.list,
    );
    this.search.addEventListener("input", () => this.fill());
  }

  set shown(on: boolean) {
    this.root.hidden = !on;
    if (on && this.list.childElementCount === 0) this.fill();
  }

  private fill(): void {
    const words = this.search.value.toLowerCase().split(/\s+/);
    const found = this.app.metadata.openings.flatMap((info, number) => {
      const text = `${info.subject} ${info.expression} ${info.name}`.toLowerCase();
      return words.every((word) => text.includes(word)) ? [{ info, number }] : [];
    });
    const more = found.length > MOST_SHOWN ? `, the first ${MOST_SHOWN} are shown` : "";
    this.count.textContent = `${found.length} of ${this.app.metadata.openings.length}${more}`;
    const rows: HTMLElement[] = [];
    let subject: string | null = null;
    for (const { info, number } of found.slice(0, MOST_SHOWN)) {
      if (info.subject !== subject) rows.push(element("h3", {}, (subject = info.subject)));
      const title = info.moves ? "Head and motion" : "Head";
      const made = button(info.expression, { title }, () => void this.app.incoming.open(number));
      made.append(element("span", { class: "hint" }, info.name));
      rows.push(made);
    }
    this.list.replaceChildren(...rows);
  }
}
