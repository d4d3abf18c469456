// @ts-check
"use strict";
// Reviews: decided here, kept in the browser, downloaded as the lines that `mtalign review RUN --apply` takes,
// or, where the page is served by mtalign, sent straight to the run.

/**
 * @typedef {object} Review
 * @property {string} article
 * @property {string} lang
 * @property {string} verdict
 * @property {number[]} sentences
 * @property {string} seen
 * @property {string} [entity]
 * @property {number} [start]
 * @property {number} [end]
 * @property {string} [text]
 * @property {string} [comment]
 * @property {string} [at]
 */
/** @typedef {{article: HTMLElement, lang: string, first: number, last: number, start: number, end: number}} Place */

const panel = byId("panel");
const panelBody = byId("panel-body");
const panelHint = byId("panel-hint");
const reviewed = byId("reviewed");
const STORE = `mtalign-review:${document.body.dataset.run}`;
const served = "served" in document.body.dataset;

/** @returns {Review[]} */
function readStore() {
  try {
    return JSON.parse(localStorage.getItem(STORE) ?? "[]");
  } catch {
    return [];
  }
}

/** Reviews made in this browser that are not in the run yet. */
let reviews = readStore();
/** Reviews that the run took while this page was open. @type {Review[]} */
const taken = [];

/** Code points up to an offset in UTF-16 units. @param {string} text @param {number} units */
const points = (text, units) => [...text.slice(0, units)].length;

/** @param {Element} article @param {string} lang @param {number} index */
const sentenceOf = (article, lang, index) =>
  document.getElementById(`${article.id}:${encodeURIComponent(lang)}:${index}`)?.querySelector(".text");

/** The text from one sentence to another, with what stands between. @param {HTMLElement} article @param {string} lang @param {number} first @param {number} last */
function passage(article, lang, first, last) {
  let text = sentenceOf(article, lang, first)?.textContent ?? "";
  for (let index = first + 1; index <= last; index++) {
    text += (dataOf(article).gaps[lang]?.[index - 1] ?? "") + (sentenceOf(article, lang, index)?.textContent ?? "");
  }
  return text;
}

/** @param {number} first @param {number} last */
const range = (first, last) => Array.from({ length: last - first + 1 }, (_, n) => first + n);

/** The mention of an entity in a language, from its first piece to its last. @param {HTMLElement} article @param {string} lang @param {string} number @returns {Place | null} */
function placeOf(article, lang, number) {
  const pieces = all(article, `.cell[data-lang="${CSS.escape(lang)}"] .mention[data-entity="${number}"]`);
  const ends = pieces.map((piece) => {
    const text = /** @type {Element} */ (piece.closest(".text"));
    const [start, end] = extentOf(text, piece);
    return { index: Number(piece.closest(".sentence")?.getAttribute("data-index")), start, end };
  });
  if (!ends.length) return null;
  const [one, other] = [ends[0], ends[ends.length - 1]];
  return { article, lang, first: one.index, last: other.index, start: one.start, end: other.end };
}

/** A place as a review writes it: sentences, the text that was seen, code points in it. @param {Place} place */
function written(place) {
  const seen = passage(place.article, place.lang, place.first, place.last);
  const lastLength = sentenceOf(place.article, place.lang, place.last)?.textContent?.length ?? 0;
  const end = seen.length - lastLength + place.end;
  return { sentences: range(place.first, place.last), seen, start: points(seen, place.start), end: points(seen, end) };
}

/** @param {Review} review */
const slotOf = (review) =>
  JSON.stringify([
    review.article,
    review.lang,
    review.entity ?? review.sentences,
    review.seen,
    review.verdict === "comment" ? "comment" : review.entity === undefined ? "text" : "entity",
  ]);

/** @param {Review} one @param {Review} other */
const sameSubject = (one, other) =>
  JSON.stringify([one.article, one.lang, one.entity ?? one.sentences]) ===
  JSON.stringify([other.article, other.lang, other.entity ?? other.sentences]);

/** @param {Review} review */
async function add(review) {
  review.at = new Date().toISOString();
  reviews = reviews.filter((each) => slotOf(each) !== slotOf(review));
  reviews.push(review);
  keep();
  await send();
}

/** Take back what was said about an entity or a sentence. @param {Review} about @param {boolean} inRun */
async function takeBack(about, inRun) {
  const before = reviews.length;
  reviews = reviews.filter((each) => !sameSubject(each, about));
  const sent = taken.some((each) => sameSubject(each, about));
  if (inRun || sent) {
    for (let n = taken.length - 1; n >= 0; n--) if (sameSubject(taken[n], about)) taken.splice(n, 1);
    reviews.push({ ...about, verdict: "withdraw", at: new Date().toISOString() });
  } else if (reviews.length === before) return;
  keep();
  await send();
}

function keep() {
  try {
    localStorage.setItem(STORE, JSON.stringify(reviews));
  } catch {
    panelHint.textContent = "This browser keeps nothing for this page: download the reviews before you close it.";
  }
  showReviews();
}

/** Where mtalign serves the page, the run takes the reviews. */
async function send() {
  if (!served || !reviews.length) return;
  const sending = [...reviews];
  try {
    const root = document.body.dataset.home ?? "./";
    const answer = await fetch(new URL("reviews", new URL(root, location.href)), {
      method: "POST",
      headers: { "Content-Type": "application/jsonl" },
      body: sending.map((each) => JSON.stringify(each)).join("\n"),
    });
    if (!answer.ok) throw new Error(await answer.text());
    taken.push(...sending);
    reviews = reviews.filter((each) => !sending.includes(each));
    keep();
    say("Saved in the run.");
  } catch (error) {
    say(`Not saved in the run, kept in this browser: ${error instanceof Error ? error.message : error}`);
  }
}

/** @param {string} message */
function say(message) {
  panelHint.textContent = message;
  reviewed.textContent = `${message} ${counted()}`.trim();
}

function counted() {
  if (!reviews.length) return taken.length ? `${taken.length} saved in the run` : "";
  return `${reviews.length} ${reviews.length === 1 ? "review" : "reviews"} kept in this browser`;
}

/** Mark what has been reviewed. */
function showReviews() {
  const block = /** @type {HTMLElement} */ (reviewed.parentElement);
  const mine = [...taken, ...reviews].filter((each) => each.verdict !== "withdraw");
  block.hidden = !mine.length && !reviews.length;
  byId("download").hidden = !reviews.length;
  reviewed.textContent = counted();
  for (const mark of all(document, "[data-verdict]")) delete mark.dataset.verdict;
  /** @type {Range[]} */
  const moved = [];
  for (const article of mine.length ? all(document, ".article") : []) {
    const data = dataOf(article);
    const numbers = new Map(Object.entries(data.entities).map(([number, id]) => [id, number]));
    for (const review of mine) {
      if (review.article !== data.id) continue;
      const cells = `.cell[data-lang="${CSS.escape(review.lang)}"]`;
      if (review.entity !== undefined) {
        const number = numbers.get(review.entity);
        for (const mark of all(article, `${cells} [data-entity="${number}"]`)) mark.dataset.verdict = review.verdict;
        if (review.verdict === "move") moved.push(...drawn(article, review));
      } else {
        for (const index of review.sentences) {
          const sentence = sentenceOf(article, review.lang, index)?.closest(".sentence");
          if (sentence instanceof HTMLElement) sentence.dataset.verdict = review.verdict;
        }
      }
    }
  }
  paint("moved", moved);
}

/** The new place of a moved mention. @param {HTMLElement} article @param {Review} review @returns {Range[]} */
function drawn(article, review) {
  const text = sentenceOf(article, review.lang, review.sentences[0]);
  if (!text || review.sentences.length !== 1 || text.textContent !== review.seen) return [];
  const units = (/** @type {number} */ count) => [...review.seen].slice(0, count).join("").length;
  const place = rangeIn(text, units(review.start ?? 0), units(review.end ?? 0));
  return place ? [place] : [];
}

// --- The panel ---

/** @type {HTMLElement | null} */
let openedFrom = null;

/** @param {string} title @param {HTMLElement[]} content @param {HTMLElement} from */
function openPanel(title, content, from) {
  openedFrom = from;
  byId("panel-title").textContent = title;
  panelBody.replaceChildren(...content);
  panelHint.textContent = served
    ? "What you decide is written to the run at once."
    : "What you decide stays in this browser until you download it for: mtalign review RUN --apply reviews.jsonl";
  panel.hidden = false;
  readout.hidden = true;
  // What is reviewed stays in sight above the panel.
  const covered = from.getBoundingClientRect().bottom + 40 - panel.getBoundingClientRect().top;
  if (covered > 0) scrollBy({ top: covered });
}

function closePanel() {
  if (panel.hidden) return;
  panel.hidden = true;
  openedFrom?.focus();
}

/** @param {string} text @param {() => void} act @param {string} [name] */
function button(text, act, name) {
  const element = made("button", { type: "button", ...(name ? { "aria-label": name } : {}) }, text);
  element.addEventListener("click", act);
  return element;
}

/** The last selection inside a sentence of a translation: buttons take it away. @type {Place | null} */
let selected = null;

document.addEventListener("selectionchange", () => {
  const selection = getSelection();
  if (!selection || selection.rangeCount === 0 || selection.isCollapsed) return;
  const chosen = selection.getRangeAt(0);
  const from = chosen.startContainer.parentElement?.closest(".text");
  const to = chosen.endContainer.parentElement?.closest(".text");
  const [one, other] = [from?.closest(".sentence"), to?.closest(".sentence")];
  const cell = from?.closest(".cell");
  if (!from || !to || !one || !other || !cell || cell !== to.closest(".cell")) return;
  const start = new Range();
  start.setStart(from, 0);
  start.setEnd(chosen.startContainer, chosen.startOffset);
  const end = new Range();
  end.setStart(to, 0);
  end.setEnd(chosen.endContainer, chosen.endOffset);
  selected = {
    article: /** @type {HTMLElement} */ (cell.closest(".article")),
    lang: cell.getAttribute("data-lang") ?? "",
    first: Number(one.getAttribute("data-index")),
    last: Number(other.getAttribute("data-index")),
    start: start.toString().length,
    end: end.toString().length,
  };
  for (const use of all(panelBody, "[data-use]")) use.hidden = use.dataset.use !== selected.lang;
});

/** @param {HTMLElement} origin a mention, or the note about a lost one */
function reviewEntity(origin) {
  const article = /** @type {HTMLElement} */ (origin.closest(".article"));
  const number = origin.dataset.entity ?? "";
  const data = dataOf(article);
  const clicked = origin.closest(".cell")?.getAttribute("data-lang");
  const langs = Object.keys(data.gaps);
  const name = article.querySelector(`.entities tr[data-entity="${number}"] th`)?.textContent ?? "";
  const blocks = langs.map((lang) => entityBlock(article, lang, number, data));
  openPanel(`Review: ${name}`, blocks, origin);
  const first = panelBody.querySelector(`fieldset[data-lang="${CSS.escape(clicked ?? langs[0] ?? "")}"] button:not([hidden])`);
  /** @type {HTMLElement | null} */ (first ?? panelBody.querySelector("button"))?.focus();
}

/** What may be said about one entity in one language. @param {HTMLElement} article @param {string} lang @param {string} number @param {ArticleData} data */
function entityBlock(article, lang, number, data) {
  const heading = article.querySelector(`.rows thead th[data-lang="${CSS.escape(lang)}"] .tongue`)?.textContent ?? lang;
  const place = placeOf(article, lang, number);
  const entity = data.entities[number] ?? "";
  const about = { article: data.id, lang, entity };
  const edges = place && { ...place };
  const text = made("bdi", { lang, class: "chosen" });
  const state = made("output", { class: "quiet" });
  const show = () => {
    text.textContent = edges ? cut(edges) : "not found in this translation";
    const verdict = [...taken, ...reviews].filter((each) => sameSubject(each, { ...about, verdict: "", sentences: [], seen: "" })).at(-1)?.verdict;
    const inRun = data.reviews.find(([code, subject]) => code === lang && subject === entity)?.[2];
    state.textContent = verdict ? SAID[verdict] ?? "" : inRun ? `${SAID[inRun] ?? ""} before` : "";
    undo.hidden = !verdict && !inRun;
  };
  /** @param {string} verdict @param {Place | null} at @param {string} [comment] */
  const decide = async (verdict, at, comment) => {
    const where = at ? written(at) : { sentences: [], seen: "" };
    await add({ ...about, verdict, ...where, ...(comment ? { comment } : {}) });
    show();
  };
  /** @param {"start" | "end"} edge @param {number} by */
  const nudge = (edge, by) => {
    if (!edges) return;
    const limit = sentenceOf(article, lang, edge === "start" ? edges.first : edges.last)?.textContent ?? "";
    edges[edge] = step(limit, edges[edge], by);
    if (edges.first === edges.last && edges.start >= edges.end) edges[edge] = step(limit, edges[edge], -by);
    show();
    decide("move", edges);
  };
  const undo = button("Undo", async () => {
    const inRun = data.reviews.some(([code, subject]) => code === lang && subject === entity);
    await takeBack({ ...about, verdict: "", sentences: [], seen: "" }, inRun);
    if (edges && place) Object.assign(edges, place);
    show();
  });
  const use = button("Use the selected text", () => {
    if (!selected || selected.article !== article || selected.lang !== lang) return;
    const at = selected;
    if (edges) Object.assign(edges, at);
    else text.textContent = cut(at);
    decide("move", at);
  });
  use.dataset.use = lang;
  use.hidden = selected?.lang !== lang;
  const comment = /** @type {HTMLInputElement} */ (made("input", { type: "text", "aria-label": `Comment on ${heading}`, placeholder: "Comment; Enter keeps it" }));
  // Enter, or leaving the field: what was written is not lost when the panel is closed.
  comment.addEventListener("change", () => {
    if (comment.value.trim()) decide("comment", edges, comment.value.trim());
  });
  const moves = edges
    ? made(
        "span",
        { class: "edges", role: "group", "aria-label": `Edges in ${heading}` },
        "Move the start ",
        button("◂", () => nudge("start", -1), "Start one character earlier"),
        button("▸", () => nudge("start", 1), "Start one character later"),
        " the end ",
        button("◂", () => nudge("end", -1), "End one character earlier"),
        button("▸", () => nudge("end", 1), "End one character later"),
      )
    : made("span", { class: "quiet" }, "Is it there? Select its text in the article.");
  const block = made(
    "fieldset",
    { "data-lang": lang },
    made("legend", { lang }, heading),
    made("p", {}, text, " ", state),
    made(
      "p",
      { class: "actions" },
      ...(edges ? [button("Accept", () => decide("accept", edges))] : []),
      button(edges ? "Reject" : "Rightly missing", () => decide("reject", place)),
      use,
      undo,
    ),
    made("p", { class: "actions" }, moves, ...(edges ? [made("span", { class: "quiet" }, "or select the right text above")] : [])),
    made("p", {}, comment),
  );
  show();
  return block;
}

/** @type {Record<string, string>} */
const SAID = {
  accept: "accepted",
  move: "moved",
  reject: "rejected",
  bad: "marked as bad",
  correct: "corrected",
  comment: "commented",
};

/** The text at a place. @param {Place} place */
function cut(place) {
  const { seen, start, end } = written(place);
  return [...seen].slice(start, end).join("");
}

/** One code point further. @param {string} text @param {number} units @param {number} by */
function step(text, units, by) {
  const before = [...text.slice(0, units)].length + by;
  const characters = [...text];
  return characters.slice(0, Math.max(0, Math.min(before, characters.length))).join("").length;
}

/** @param {HTMLElement} sentence @param {HTMLElement} from */
function reviewSentence(sentence, from) {
  const article = /** @type {HTMLElement} */ (sentence.closest(".article"));
  const cell = /** @type {HTMLElement} */ (sentence.closest(".cell"));
  const lang = cell.dataset.lang ?? "";
  const index = Number(sentence.dataset.index);
  const data = dataOf(article);
  const seen = sentence.querySelector(".text")?.textContent ?? "";
  const about = { article: data.id, lang, sentences: [index], seen };
  const state = made("output", { class: "quiet" });
  const show = () => {
    const verdict = [...taken, ...reviews].filter((each) => sameSubject(each, { ...about, verdict: "" })).at(-1)?.verdict;
    const inRun = data.reviews.find(([code, subject]) => code === lang && String(subject) === String(index))?.[2];
    state.textContent = verdict ? SAID[verdict] ?? "" : inRun ? `${SAID[inRun] ?? ""} before` : "";
    undo.hidden = !verdict && !inRun;
  };
  /** @param {Partial<Review> & {verdict: string}} more */
  const decide = async (more) => {
    await add({ ...about, ...more });
    show();
  };
  const undo = button("Undo", async () => {
    await takeBack({ ...about, verdict: "" }, data.reviews.some(([code, subject]) => code === lang && String(subject) === String(index)));
    show();
  });
  const edited = reviews.find((each) => each.verdict === "correct" && sameSubject(each, { ...about, verdict: "" }))?.text;
  const text = /** @type {HTMLTextAreaElement} */ (made("textarea", { lang, rows: "3", "aria-label": "The translation as it should read" }));
  text.value = edited ?? seen;
  const comment = /** @type {HTMLInputElement} */ (made("input", { type: "text", "aria-label": "Comment", placeholder: "Comment" }));
  const said = () => (comment.value.trim() ? { comment: comment.value.trim() } : {});
  const block = made(
    "fieldset",
    { "data-lang": lang },
    made("legend", { lang }, cell.dataset.name ?? lang),
    text,
    made("p", {}, comment),
    made(
      "p",
      { class: "actions" },
      button("Correct it so", () => {
        const now = text.value.trim();
        if (!now || now === seen) say("Change the text first.");
        else if (/\n\s*\n/.test(now)) say("A sentence has no blank line in it.");
        else decide({ verdict: "correct", text: now, ...said() });
      }),
      button("Bad translation", () => decide({ verdict: "bad", ...said() })),
      button("Only comment", () => {
        if (comment.value.trim()) decide({ verdict: "comment", comment: comment.value.trim() });
        else say("Write a comment first.");
      }),
      undo,
      state,
    ),
  );
  openPanel(`Review sentence ${index + 1}`, [block], from);
  show();
  text.focus();
}

/** @param {HTMLElement} mark */
function quickly(mark, /** @type {string} */ verdict) {
  const article = /** @type {HTMLElement} */ (mark.closest(".article"));
  const lang = mark.closest(".cell")?.getAttribute("data-lang") ?? "";
  const data = dataOf(article);
  const number = mark.dataset.entity ?? "";
  const place = placeOf(article, lang, number);
  if (!place || !(lang in data.gaps)) return;
  add({ article: data.id, lang, entity: data.entities[number] ?? "", verdict, ...written(place) });
}

/** Give the sentences of a row's translations a button to review them. @param {Element} row */
function equip(row) {
  for (const cell of all(row, ".cell")) {
    if (!(String(cell.dataset.lang) in dataOf(/** @type {Element} */ (row.closest(".article"))).gaps)) continue;
    for (const sentence of all(cell, ".sentence")) {
      const edit = button("✎", () => reviewSentence(sentence, edit), `Review ${cell.dataset.name} sentence ${Number(sentence.dataset.index) + 1}`);
      edit.className = "edit";
      sentence.append(edit);
    }
  }
}

// Thousands of buttons would make a large page slow to open: a row gets its own when it comes into sight.
const inSight = new IntersectionObserver(
  (rows) => {
    for (const { isIntersecting, target } of rows) {
      if (!isIntersecting) continue;
      inSight.unobserve(target);
      equip(target);
    }
  },
  { rootMargin: "50%" },
);
for (const row of all(document, ".row")) inSight.observe(row);

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const origin = target?.closest(".mention, .note[data-entity]");
  // Selecting text across a name ends in a click on it: that is no wish to open the panel.
  if (origin instanceof HTMLElement && getSelection()?.isCollapsed !== false) reviewEntity(origin);
});
byId("panel-close").addEventListener("click", closePanel);
byId("download").addEventListener("click", () => {
  const lines = reviews.map((each) => `${JSON.stringify(each)}\n`).join("");
  const link = /** @type {HTMLAnchorElement} */ (made("a", { download: "reviews.jsonl" }));
  link.href = URL.createObjectURL(new Blob([lines], { type: "application/jsonl" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href));
});
showReviews();
send();
