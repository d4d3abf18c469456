// @ts-check
"use strict";
// The page by keyboard alone. Comes last: what the address asks for is shown when all else is in place.

const help = /** @type {HTMLDialogElement} */ (byId("help"));
const singleKeys = /** @type {HTMLInputElement} */ (byId("single-keys"));
const KEYS_STORE = "mtalign-single-keys";

try {
  singleKeys.checked = localStorage.getItem(KEYS_STORE) !== "off";
} catch {
  // A browser that keeps nothing starts with the keys on.
}
singleKeys.addEventListener("change", () => {
  try {
    localStorage.setItem(KEYS_STORE, singleKeys.checked ? "on" : "off");
  } catch {
    // As above.
  }
});
byId("keys").addEventListener("click", () => help.showModal());

/** Go to the next row that the filter shows, from the one that has the focus. @param {number} by @param {string} selector */
function move(by, selector) {
  const rows = all(document, ".row:not([hidden])").filter((row) => !row.closest("[hidden]"));
  const here = document.activeElement?.closest(".row") ?? document.querySelector(".row.here");
  const at = here instanceof HTMLElement ? rows.indexOf(here) : by > 0 ? -1 : rows.length;
  for (let n = at + by; n >= 0 && n < rows.length; n += by) {
    if (rows[n].matches(selector)) {
      goTo(rows[n]);
      return;
    }
  }
}

/** @type {Record<string, (target: HTMLElement) => void>} */
const KEYS = {
  "/": () => query.focus(),
  "?": () => help.showModal(),
  j: () => move(1, ".row"),
  k: () => move(-1, ".row"),
  i: () => move(1, "[data-issue], [data-doubt]"),
  a: (target) => target.matches(".mention") && quickly(target, "accept"),
  x: (target) => target.matches(".mention") && quickly(target, "reject"),
};

document.addEventListener("keydown", (event) => {
  const target = event.target instanceof HTMLElement ? event.target : document.body;
  if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
  if (event.key === "Escape") {
    if (!panel.hidden) closePanel();
    else if (target === query) {
      query.value = "";
      remember();
      find();
    }
  } else if (event.key === "Enter" && target.matches(".mention, .note[data-entity]")) {
    event.preventDefault();
    reviewEntity(target);
  } else if (singleKeys.checked && !target.matches("input, textarea, select") && KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key](target);
  }
});

recall();
