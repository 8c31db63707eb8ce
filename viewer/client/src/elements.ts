// Short ways to make the elements of the page.

type Attributes = Record<string, string | number | boolean>;

/** An element with attributes and children; texts become text nodes, never markup. */
export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false) made.setAttribute(name, String(value));
  }
  made.append(...children);
  return made;
}

/** A button that is no submit button. */
export function button(label: string, attributes: Attributes, onClick: () => void): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", onClick);
  return made;
}

/** A range input whose filled part is drawn by the style sheet from --fill. */
export function range(attributes: Attributes): HTMLInputElement {
  return element("input", { type: "range", ...attributes });
}

/** Sets a range input's value and its filled part. */
export function setRange(input: HTMLInputElement, value: number): void {
  input.value = String(value);
  const [low, high] = [Number(input.min), Number(input.max)];
  input.style.setProperty("--fill", String(high > low ? (value - low) / (high - low) : 0));
}
