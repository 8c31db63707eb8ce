// A button that opens a list of actions; closes on a choice, Escape, and when the reader turns elsewhere.

import { button, element } from "./elements";

export interface MenuItem {
  readonly label: string;
  /** What the reader gets, in a few words. */
  readonly hint: string;
  readonly action: () => void;
}

export function menu(label: string, items: readonly MenuItem[]): HTMLDetailsElement {
  const summary = element("summary", { class: "button" }, label);
  const root = element("details", { class: "menu" }, summary);
  const close = (): void => {
    root.open = false;
  };
  const buttons = items.map(({ label: name, hint, action }) => {
    const made = button("", { class: "item" }, () => {
      close();
      summary.focus();
      action();
    });
    made.append(element("strong", {}, name), element("span", {}, hint));
    return made;
  });
  root.append(element("div", { class: "items" }, ...buttons));
  root.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
    if (event.key === "Escape" && root.open) {
      close();
      summary.focus();
    } else if (root.open && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      buttons[(next + buttons.length) % buttons.length].focus();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  root.addEventListener("focusout", (event) => {
    if (!(event.relatedTarget instanceof Node) || !root.contains(event.relatedTarget)) close();
  });
  return root;
}
