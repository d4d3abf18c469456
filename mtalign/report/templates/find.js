// @ts-check
"use strict";
// Finding: the same comparison for the rows of this page and for what other pages hand over.

/**
 * @typedef {object} CellEntry
 * @property {string} lang
 * @property {string[]} texts
 * @property {number[]} entities
 * @property {number[]} low
 * @property {number[]} lost
 * @property {string[]} issues
 * @property {string[]} [folded] the texts as they are compared, made when first needed
 */
/** @typedef {{anchor: string, number: number, cells: CellEntry[], element?: HTMLElement}} RowEntry */
/** @typedef {{anchor: string, title: string, page: string, names: [number, string, string[]][], rows: RowEntry[], element?: HTMLElement}} ArticleEntry */
/** @typedef {{query: string, label: string, issue: string, confidence: string, lang: string}} Wanted */

const form = /** @type {HTMLFormElement} */ (byId("filter"));
const query = /** @type {HTMLInputElement} */ (byId("query"));
const found = /** @type {HTMLOutputElement} */ (byId("found"));
const nothing = byId("nothing");
const inLibrary = document.body.dataset.kind === "index";

/** @param {string} name */
const select = (name) => /** @type {HTMLSelectElement} */ (byId(`by-${name}`));

/** @returns {Wanted} */
const wanted = () => ({
  query: query.value.trim(),
  label: select("label").value,
  issue: select("issue").value,
  confidence: select("confidence").value,
  lang: select("lang").value,
});

/** @param {Wanted} what */
const isAsking = (what) => Object.values(what).some(Boolean);

/** @param {CellEntry} cell */
function foldedTexts(cell) {
  cell.folded ??= cell.texts.map(folded);
  return cell.folded;
}

/** The rows of an article that have everything that is asked for. @param {ArticleEntry} article @param {Wanted} what */
function matching(article, what) {
  const letters = folded(what.query);
  // An entity that matches in one language brings the rows of its counterparts, wherever they stand.
  const linked = new Set(
    letters ? article.names.filter(([, , forms]) => forms.some((form) => folded(form).includes(letters))).map(([n]) => n) : [],
  );
  const labelled = new Set(article.names.filter(([, label]) => label === what.label).map(([n]) => n));
  return article.rows.filter((row) => {
    const cells = what.lang ? row.cells.filter((cell) => cell.lang === what.lang) : row.cells;
    const any = (/** @type {(cell: CellEntry) => boolean} */ test) => cells.some(test);
    /** @param {number[]} numbers */
    const counts = (numbers) => numbers.some((n) => !what.label || labelled.has(n));
    return (
      (!letters ||
        any((cell) => foldedTexts(cell).some((text) => text.includes(letters)) || cell.entities.some((n) => linked.has(n)))) &&
      (!what.label || any((cell) => [...cell.entities, ...cell.lost].some((n) => labelled.has(n)))) &&
      (!what.issue || any((cell) => (what.issue === "*" ? cell.issues.length > 0 : cell.issues.includes(what.issue)))) &&
      (!what.confidence ||
        any((cell) => (what.confidence !== "lost" && counts(cell.low)) || (what.confidence !== "low" && counts(cell.lost))))
    );
  });
}

/** @param {HTMLElement[]} marks */
const numbersOf = (marks) => [...new Set(marks.map((mark) => Number(mark.dataset.entity)))];

/** The articles of this page, as the index has those of all pages. @returns {ArticleEntry[]} */
const readArticles = () =>
  all(document, ".article").map((element) => {
    /** @type {Map<number, [number, string, string[]]>} */
    const names = new Map();
    for (const mark of all(element, ".mention")) {
      const number = Number(mark.dataset.entity);
      const name = names.get(number) ?? [number, mark.dataset.label ?? "", []];
      name[2].push(mark.textContent ?? "");
      names.set(number, name);
    }
    const rows = all(element, ".row").map((row) => ({
      element: row,
      anchor: row.id,
      number: 0,
      cells: all(row, ".cell").map((cell) => ({
        lang: cell.dataset.lang ?? "",
        texts: all(cell, ".text").map((text) => text.textContent ?? ""),
        entities: numbersOf(all(cell, ".mention")),
        low: numbersOf(all(cell, ".mention.low")),
        lost: numbersOf(all(cell, '.note[data-kind="lost-entity"]')),
        issues: all(cell, ".note").map((note) => note.dataset.kind ?? ""),
      })),
    }));
    return { element, anchor: element.id, title: "", page: "", names: [...names.values()], rows };
  });

// Read when first needed: opening a large page must not wait for it.
/** @type {ArticleEntry[] | undefined} */
let articles;

function filterRows() {
  const what = wanted();
  articles ??= readArticles();
  let shown = 0;
  let total = 0;
  for (const article of articles) {
    const hits = new Set(matching(article, what));
    for (const row of article.rows) if (row.element) row.element.hidden = !hits.has(row);
    if (article.element) article.element.hidden = article.rows.length > 0 ? hits.size === 0 : isAsking(what);
    shown += hits.size;
    total += article.rows.length;
  }
  found.textContent = shown < total ? `${shown} of ${total} rows` : "";
  nothing.hidden = shown > 0 || total === 0;
  paintFound(folded(what.query));
}

/** Colour what was searched for, without touching the text. @param {string} letters */
function paintFound(letters) {
  /** @type {Range[]} */
  const ranges = [];
  for (const text of letters ? all(document, ".row:not([hidden]) .text") : []) {
    const content = folded(text.textContent);
    // Folding that changes the length would shift the ranges: such a text is found, but not painted.
    if (content.length !== text.textContent?.length) continue;
    for (let at = content.indexOf(letters); at >= 0; at = content.indexOf(letters, at + letters.length)) {
      const range = rangeIn(text, at, at + letters.length);
      if (range) ranges.push(range);
    }
  }
  paint("found", ranges);
}

/** @param {string} name */
const checked = (name) =>
  new Set(all(form, `input[name="${name}"]:checked`).map((box) => /** @type {HTMLInputElement} */ (box).value));

function showLanguages() {
  const languages = checked("lang");
  for (const cell of all(document, "[data-lang]")) cell.hidden = !languages.has(cell.dataset.lang ?? "");
}

function showLabels() {
  const labels = checked("label");
  for (const mark of all(document, ".mention")) mark.classList.toggle("off", !labels.has(mark.dataset.label ?? ""));
  document.body.classList.toggle("tags", checked("tags").size > 0);
}

// --- The address says what is shown: `#a:summit:3` a place, `#q=Seoul&lang=ko` a search ---

/** @param {string} hash */
const isSearch = (hash) => hash.includes("=");

/** @param {Wanted} what @param {string} [at] */
function addressOf(what, at) {
  const entries = Object.entries({ ...what, at: at ?? "" }).filter(([, value]) => value);
  return new URLSearchParams(entries.map(([name, value]) => [name === "query" ? "q" : name, value])).toString();
}

function remember() {
  const what = wanted();
  const hash = isAsking(what) ? `#${addressOf(what)}` : "";
  // Without a fragment the address must still lead to this page, whatever it is called.
  if (hash || isSearch(location.hash)) history.replaceState(null, "", hash || location.pathname + location.search);
}

function recall() {
  if (!isSearch(location.hash)) return;
  const asked = new URLSearchParams(location.hash.slice(1));
  query.value = asked.get("q") ?? "";
  for (const name of ["label", "issue", "confidence", "lang"]) select(name).value = asked.get(name) ?? "";
  find();
  const at = asked.get("at");
  if (at) goTo(document.getElementById(at));
  else byId("articles").scrollIntoView();
}

/** Show a place and put the focus there. @param {HTMLElement | null} place */
function goTo(place) {
  const row = /** @type {HTMLElement | null} */ (place?.closest(".row") ?? place);
  if (!row) return;
  for (const other of all(document, ".here")) other.classList.remove("here");
  row.classList.add("here");
  row.scrollIntoView({ block: "center" });
  /** @type {HTMLElement | null} */ (row.querySelector(".gutter a, a"))?.focus({ preventScroll: true });
}

/** Set by the index, which finds in other pages. @type {(() => void) | undefined} */
let findElsewhere;

const find = () => (findElsewhere ? findElsewhere() : filterRows());

form.hidden = false;
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () =>
  // The boxes have their first values only after the event.
  setTimeout(() => {
    if (!inLibrary) {
      showLanguages();
      showLabels();
    }
    remember();
    find();
  }),
);
form.addEventListener("input", (event) => {
  const { name } = /** @type {HTMLInputElement} */ (event.target);
  if (name === "lang") showLanguages();
  else if (name === "label" || name === "tags") showLabels();
  else {
    remember();
    find();
  }
});
addEventListener("hashchange", () => {
  // A place that the filter hides must still be reachable.
  if (!isSearch(location.hash)) {
    const row = document.getElementById(location.hash.slice(1))?.closest(".row");
    if (row instanceof HTMLElement && row.hidden) form.reset();
  }
  recall();
});
// The header cells of the tables stick below the toolbar, whose height depends on its wrapping.
new ResizeObserver(() => {
  const height = getComputedStyle(form).position === "sticky" ? form.offsetHeight : 0;
  document.documentElement.style.setProperty("--bar", `${height}px`);
}).observe(form);
