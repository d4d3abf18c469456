// @ts-check
"use strict";
// Pointing at a name or a word, or tabbing to a name, lights up what says the same in the other languages.

const readout = byId("readout");
const LINK_COLOURS = 6;

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
  readout.hidden = !line || !panel.hidden;
  readout.replaceChildren(...(line ? [...line.children].map(said) : []));
  if (line?.querySelector("td small")) readout.append(made("span", { class: "key" }, "numbers: confidence, 0 to 1"));
  const text = origin?.closest(".text");
  paintLinks(text ?? null, text && origin ? extentOf(text, origin) : null, true);
}

/** A cell of the entity table as a part of the readout, under the name of its language. @param {Element} cell */
function said(cell) {
  const heading = cell.closest("table")?.tHead?.rows[0].cells[/** @type {HTMLTableCellElement} */ (cell).cellIndex];
  const name = made("b", {}, cell.querySelector(".label") ? "" : heading?.textContent ?? "");
  return made("span", {}, name, ...[...cell.childNodes].map((node) => node.cloneNode(true)));
}

/** Where an element lies in its text, by UTF-16 units. @param {Element} text @param {Element} element */
function extentOf(text, element) {
  const before = new Range();
  before.setStart(text, 0);
  before.setEndBefore(element);
  const start = before.toString().length;
  return /** @type {[number, number]} */ ([start, start + (element.textContent?.length ?? 0)]);
}

/**
 * Paint the word links of a sentence: words that say the same share a colour, those of the extent stand out.
 * @param {Element | null} text
 * @param {[number, number] | null} extent
 * @param {boolean} whole whether the rest of the sentence is painted too
 */
function paintLinks(text, extent, whole) {
  /** @type {Range[][]} */
  const colours = Array.from({ length: LINK_COLOURS }, () => []);
  /** @type {Range[]} */
  const strong = [];
  const article = text?.closest(".article");
  if (text && extent && article) {
    const data = dataOf(article);
    const lang = text.closest(".cell")?.getAttribute("data-lang");
    const here = Number(text.closest(".sentence")?.getAttribute("data-index"));
    const [start, end] = extent;
    /** @param {number} from @param {number} to */
    const touched = (from, to) => from < end && to > start;
    // The source words in question: by themselves, or through the links of the sentence pointed at.
    const near = data.links.filter((each) => (lang === data.source ? each[0] === here : each[3] === lang && each[4] === here));
    const chosen = new Set(
      near
        .filter((each) => (lang === data.source ? touched(each[1], each[2]) : touched(each[5], each[6])))
        .map((each) => `${each[0]}:${each[1]}`),
    );
    const sentences = new Set(near.map((each) => each[0]));
    /** @type {Map<string, number>} */
    const words = new Map();
    for (const [sentence, from, to, other, otherSentence, otherFrom, otherTo] of data.links) {
      const word = `${sentence}:${from}`;
      const isChosen = chosen.has(word);
      if (!sentences.has(sentence) || (!whole && !isChosen)) continue;
      if (!words.has(word)) {
        const range = rangeOfWord(article, data.source, sentence, from, to);
        if (range && !isLit(range)) (isChosen ? strong : colours[words.size % LINK_COLOURS]).push(range);
        words.set(word, words.size);
      }
      const range = rangeOfWord(article, other, otherSentence, otherFrom, otherTo);
      if (range && !isLit(range)) (isChosen ? strong : colours[(words.get(word) ?? 0) % LINK_COLOURS]).push(range);
    }
  }
  for (const [number, ranges] of colours.entries()) paint(`link${number}`, ranges);
  paint("linked", strong);
}

/** Whether a range lies in a name that is lit up itself. @param {Range} range */
const isLit = (range) => Boolean(range.startContainer.parentElement?.closest(".lit"));

/**
 * @param {Element} article
 * @param {string} lang
 * @param {number} sentence
 * @param {number} start
 * @param {number} end
 */
function rangeOfWord(article, lang, sentence, start, end) {
  const text = document.getElementById(`${article.id}:${encodeURIComponent(lang)}:${sentence}`)?.querySelector(".text");
  return text ? rangeIn(text, start, end) : null;
}

/** The place in a sentence under the pointer. @param {PointerEvent} event */
function pointed(event) {
  const position = document.caretPositionFromPoint?.(event.clientX, event.clientY);
  const text = position?.offsetNode.parentElement?.closest(".text");
  if (!position || !text) return null;
  const before = new Range();
  before.setStart(text, 0);
  before.setEnd(position.offsetNode, position.offset);
  return { text, at: before.toString().length };
}

/** @param {Event} event */
const entityOf = (event) => (event.target instanceof Element ? event.target.closest("[data-entity]") : null);

document.addEventListener("pointerover", (event) => light(entityOf(event)));
document.addEventListener("pointermove", (event) => {
  if (entityOf(event) || event.buttons) return;
  const place = pointed(event);
  paintLinks(place?.text ?? null, place && [place.at, place.at + 1], false);
});
document.addEventListener("focusin", (event) => light(entityOf(event)));
document.addEventListener("focusout", () => light(null));
