// @ts-check
"use strict";
// The page is complete without this: the script adds the filter and the lighting up of counterparts.

{
  const form = /** @type {HTMLFormElement} */ (document.getElementById("filter"));
  const query = /** @type {HTMLInputElement} */ (document.getElementById("query"));
  const found = /** @type {HTMLOutputElement} */ (document.getElementById("found"));
  const nothing = /** @type {HTMLElement} */ (document.getElementById("nothing"));
  const readout = /** @type {HTMLElement} */ (document.getElementById("readout"));

  /**
   * @param {ParentNode} root
   * @param {string} selector
   * @returns {HTMLElement[]}
   */
  const all = (root, selector) => [...root.querySelectorAll(selector)].map((node) => /** @type {HTMLElement} */ (node));

  /** Letters as they are compared: composed, without case. @param {string | null} text */
  const folded = (text) => (text ?? "").normalize("NFC").toLowerCase();

  // --- Filter ---

  const read = () =>
    all(document, ".article").map((element) => ({
      element,
      mentions: all(element, ".mention").map((mark) => ({ number: mark.dataset.entity, text: folded(mark.textContent) })),
      rows: all(element, ".row").map((row) => ({
        row,
        texts: all(row, ".text").map((text) => folded(text.textContent)),
        entities: new Set(all(row, "[data-entity]").map((mark) => mark.dataset.entity)),
        issue: "issue" in row.dataset,
        doubt: "doubt" in row.dataset,
      })),
    }));

  // Read when first needed: opening a large page must not wait for it.
  /** @type {ReturnType<typeof read> | undefined} */
  let articles;

  /** @param {string} name */
  const checked = (name) =>
    new Set(all(form, `input[name="${name}"]:checked`).map((box) => /** @type {HTMLInputElement} */ (box).value));

  function filterRows() {
    const wanted = folded(query.value.trim());
    const [issues, doubts] = [checked("issues").size > 0, checked("doubts").size > 0];
    articles ??= read();
    let shown = 0;
    let total = 0;
    for (const { element, mentions, rows } of articles) {
      total += rows.length;
      // An entity that matches in one language brings the rows of its counterparts, wherever they stand.
      const linked = new Set(mentions.filter(({ text }) => wanted && text.includes(wanted)).map(({ number }) => number));
      let any = false;
      for (const { row, texts, entities, issue, doubt } of rows) {
        const hit =
          (!issues || issue) &&
          (!doubts || doubt) &&
          (texts.some((text) => text.includes(wanted)) || [...entities].some((number) => linked.has(number)));
        row.hidden = !hit;
        any ||= hit;
        shown += Number(hit);
      }
      element.hidden = rows.length > 0 ? !any : Boolean(wanted || issues || doubts);
    }
    found.textContent = shown < total ? `${shown} of ${total} rows` : "";
    nothing.hidden = shown > 0 || total === 0;
    paintFound(wanted);
  }

  /** Colour what was searched for, without touching the text. @param {string} wanted */
  function paintFound(wanted) {
    if (!("highlights" in CSS)) return;
    CSS.highlights.delete("found");
    if (!wanted) return;
    const ranges = [];
    for (const text of all(document, ".row:not([hidden]) .text")) {
      const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
      while (walker.nextNode()) {
        const node = walker.currentNode;
        const letters = (node.nodeValue ?? "").toLowerCase();
        // Folding that changes the length would shift the ranges: such a text is found, but not painted.
        if (letters.length !== node.nodeValue?.length) continue;
        for (let at = letters.indexOf(wanted); at >= 0; at = letters.indexOf(wanted, at + wanted.length)) {
          const range = new Range();
          range.setStart(node, at);
          range.setEnd(node, at + wanted.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  function showLanguages() {
    const languages = checked("lang");
    for (const cell of all(document, "[data-lang]")) cell.hidden = !languages.has(cell.dataset.lang ?? "");
  }

  function showLabels() {
    const labels = checked("label");
    for (const mark of all(document, ".mention")) mark.classList.toggle("off", !labels.has(mark.dataset.label ?? ""));
    document.body.classList.toggle("tags", checked("tags").size > 0);
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () =>
    // The boxes have their first values only after the event.
    setTimeout(() => {
      showLanguages();
      showLabels();
      filterRows();
    }),
  );
  form.addEventListener("input", (event) => {
    const { name } = /** @type {HTMLInputElement} */ (event.target);
    if (name === "lang") showLanguages();
    else if (name === "label" || name === "tags") showLabels();
    else filterRows();
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLInputElement;
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      query.focus();
    } else if (event.key === "Escape" && event.target === query) {
      query.value = "";
      filterRows();
    }
  });
  // The header cells of the tables stick below the toolbar, whose height depends on its wrapping.
  new ResizeObserver(() => {
    const height = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
    document.documentElement.style.setProperty("--bar", `${height}px`);
  }).observe(form);

  // --- Counterparts ---

  /** @type {HTMLElement[]} */
  let lit = [];

  /** Light up every mention of one entity, and say in the readout where it went. @param {Element | null} origin */
  function light(origin) {
    for (const element of lit) element.classList.remove("lit");
    const article = origin?.closest(".article");
    const number = /** @type {HTMLElement | undefined} */ (origin)?.dataset.entity;
    lit = article && number ? all(article, `[data-entity="${number}"]`) : [];
    for (const element of lit) element.classList.add("lit");
    const line = lit.find((element) => element.matches(".entities tr"));
    readout.hidden = !line;
    readout.replaceChildren(...(line ? [...line.children].map(said) : []));
  }

  /** A cell of the entity table as a part of the readout, under the name of its language. @param {Element} cell */
  function said(cell) {
    const part = document.createElement("span");
    const heading = cell.closest("table")?.tHead?.rows[0].cells[/** @type {HTMLTableCellElement} */ (cell).cellIndex];
    const name = document.createElement("b");
    name.textContent = cell.querySelector(".label") ? "" : heading?.textContent ?? "";
    part.append(name, ...[...cell.childNodes].map((node) => node.cloneNode(true)));
    return part;
  }

  /** @param {Event} event */
  const entityOf = (event) => (event.target instanceof Element ? event.target.closest("[data-entity]") : null);

  document.addEventListener("pointerover", (event) => light(entityOf(event)));
  document.addEventListener("focusin", (event) => light(entityOf(event)));
  document.addEventListener("focusout", () => light(null));
}
