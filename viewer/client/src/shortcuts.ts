// Keys that work anywhere on the page but in fields that take them themselves.

/** Calls the action of a key such as "k" or "ctrl shift z"; on a Mac the command key counts as ctrl. */
export function listenToKeys(actions: Readonly<Record<string, () => void>>, signal: AbortSignal): void {
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.defaultPrevented || event.altKey) return;
      const held = event.ctrlKey || event.metaKey;
      const name = `${held ? "ctrl " : ""}${held && event.shiftKey ? "shift " : ""}${event.key.toLowerCase()}`;
      const action = actions[name];
      if (action === undefined || (!held && takesKeys(event.target, event.key)) || (held && types(event.target)))
        return;
      event.preventDefault();
      action();
    },
    { signal },
  );
}

function types(target: EventTarget | null): boolean {
  if (target instanceof HTMLTextAreaElement) return true;
  return target instanceof HTMLInputElement && ["search", "text", "number"].includes(target.type);
}

function takesKeys(target: EventTarget | null, key: string): boolean {
  if (types(target) || target instanceof HTMLSelectElement) return true;
  const pressed =
    target instanceof HTMLButtonElement || (target instanceof HTMLElement && target.tagName === "SUMMARY");
  return key === " " && (pressed || (target instanceof HTMLInputElement && target.type === "checkbox"));
}
