// @ts-check
"use strict";
// The index of a report with many pages: the list of articles, and finding in all of them. What the pages
// hold is fetched from beside the index, page by page, when something is searched for the first time.

/** @typedef {[string, string, string, string, number, number, number, number, number]} Line anchor, id, title, language, sentences, entities, lost, issues, page */

const library = document.getElementById("library");

if (library) {
  const lines = /** @type {Line[]} */ (JSON.parse(byId("lines").textContent ?? "[]"));
  const pages = Number(library.dataset.pages);
  const folder = library.dataset.folder ?? "";
  const contents = /** @type {HTMLTableElement} */ (byId("contents"));
  const hitList = byId("hits");
  const more = byId("more");
  const STEP = 100;
  const AT_ONCE = 4;
  /** What the columns of the table are in a line. */
  const COLUMNS = [2, 4, 5, 6, 7];

  /** @type {ArticleEntry[]} */
  const entries = [];
  let loaded = 0;
  let asked = 0;
  /** Pages that came before their turn. @type {Map<number, ArticleEntry[]>} */
  const early = new Map();
  let shown = STEP;
  let order = lines;

  /** @param {number} page */
  const pageName = (page) => `${folder}/${String(page).padStart(4, "0")}.html`;

  function showList() {
    const rows = order.slice(0, shown).map(([anchor, id, title, lang, sentences, entities, lost, issues, page]) => {
      const link = made("a", { href: `${pageName(page)}#${anchor}` }, made("bdi", { lang }, title || id));
      return made(
        "tr",
        {},
        made("th", { scope: "row" }, link, " ", title ? made("small", {}, made("bdi", {}, id)) : ""),
        ...[sentences, entities, lost, issues].map((count) => made("td", {}, String(count))),
      );
    });
    contents.tBodies[0].replaceChildren(...rows);
    contents.hidden = false;
    hitList.hidden = true;
    nothing.hidden = true;
    found.textContent = "";
    more.hidden = order.length <= shown;
  }

  /** @param {ArticleEntry} article @param {RowEntry} row @param {Wanted} what */
  function hit(article, row, what) {
    const letters = folded(what.query);
    const cell =
      row.cells.find((each) => (!what.lang || each.lang === what.lang) && foldedTexts(each).some((text) => text.includes(letters))) ??
      row.cells.find((each) => (!what.lang || each.lang === what.lang) && each.texts.length) ??
      row.cells[0];
    const link = made("a", { href: `${folder}/${article.page}#${addressOf(what, row.anchor)}` }, made("bdi", {}, article.title), ` · row ${row.number}`);
    return made("li", {}, link, made("p", { lang: cell.lang, dir: "auto" }, cell.texts.join(" ")));
  }

  /** What has been found so far, and up to which entry. */
  let result = { what: wanted(), looked: 0, rows: 0, articles: 0, first: /** @type {[ArticleEntry, RowEntry][]} */ ([]) };

  /** Begin a search, or say that there is none. */
  function search() {
    const what = wanted();
    shown = STEP;
    result = { what, looked: 0, rows: 0, articles: 0, first: [] };
    if (!isAsking(what)) {
      showList();
      return;
    }
    if (asked === 0) for (let n = 0; n < AT_ONCE; n++) load();
    goOn();
  }

  /** Look through what has come since, and show it. */
  function goOn() {
    for (; result.looked < entries.length; result.looked++) {
      const article = entries[result.looked];
      const hits = matching(article, result.what);
      result.rows += hits.length;
      result.articles += Number(hits.length > 0);
      for (const row of hits) if (result.first.length < shown) result.first.push([article, row]);
    }
    hitList.replaceChildren(...result.first.map(([article, row]) => hit(article, row, result.what)));
    hitList.hidden = false;
    contents.hidden = true;
    const { rows, articles } = result;
    more.hidden = rows <= result.first.length;
    const progress = loaded < pages ? `, ${loaded} of ${pages} pages read` : "";
    found.textContent = `${rows} ${rows === 1 ? "row" : "rows"} in ${articles} ${articles === 1 ? "article" : "articles"}${progress}`;
    nothing.hidden = rows > 0 || loaded < pages;
  }

  /** Ask for the next page that nobody has asked for. */
  function load() {
    if (asked === pages) return;
    const page = ++asked;
    const script = /** @type {HTMLScriptElement} */ (made("script"));
    script.src = `${folder}/find-${String(page).padStart(4, "0")}.js`;
    script.onerror = () => {
      found.textContent = `${script.src} cannot be read: keep the folder ${folder} beside this page`;
    };
    document.head.append(script);
    script.onload = () => script.remove();
  }

  let due = 0;
  Object.assign(window, {
    /** Called by the file of each page. @param {number} page @param {ArticleEntry[]} articlesOfPage */
    mtalignFound(page, articlesOfPage) {
      early.set(page, articlesOfPage);
      for (let next = early.get(loaded + 1); next; next = early.get(loaded + 1)) {
        entries.push(...next);
        early.delete(++loaded);
      }
      load();
      // Not for every page: what is found is shown a few times a second, and at the end.
      const now = performance.now();
      if (isAsking(result.what) && (now > due || loaded === pages)) {
        goOn();
        due = performance.now() + 250;
      }
    },
  });

  for (const sort of all(contents, ".sort")) {
    sort.addEventListener("click", () => {
      const column = COLUMNS[Number(sort.dataset.column)];
      const heading = /** @type {HTMLElement} */ (sort.parentElement);
      // Titles begin with A, numbers with the highest; a second click turns the order round.
      const was = heading.getAttribute("aria-sort");
      const ascending = was ? was === "descending" : column === 2;
      for (const each of all(contents, "th[aria-sort]")) each.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const sign = ascending ? 1 : -1;
      order = [...lines].sort((a, b) =>
        column === 2 ? sign * (a[2] || a[1]).localeCompare(b[2] || b[1]) : sign * (Number(a[column]) - Number(b[column])),
      );
      showList();
    });
  }
  more.addEventListener("click", () => {
    shown += STEP;
    if (isAsking(result.what)) {
      Object.assign(result, { looked: 0, rows: 0, articles: 0, first: [] });
      goOn();
    } else showList();
  });
  findElsewhere = search;
  showList();
}
