// @ts-check
"use strict";
// The page is complete without its scripts: they add finding, the lighting up of counterparts, and reviews.

/**
 * @param {ParentNode} root
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
const all = (root, selector) => [...root.querySelectorAll(selector)].map((node) => /** @type {HTMLElement} */ (node));

/** The element with an id that the page always has. @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** Letters as they are compared: composed, without case. @param {string | null | undefined} text */
const folded = (text) => (text ?? "").normalize("NFC").toLowerCase();

/**
 * An element with text and children; data only ever becomes text.
 * @param {string} tag
 * @param {Record<string, string>} attributes
 * @param {(Node | string)[]} children
 */
function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/**
 * @typedef {object} ArticleData
 * @property {string} id
 * @property {string} source
 * @property {Record<string, string>} entities source ids by number
 * @property {Record<string, string[]>} gaps text between the sentences, by target language
 * @property {[number, number, number, string, number, number, number][]} links
 * @property {[string, string | number[], string][]} reviews those that are in the run already
 */

/** @type {WeakMap<Element, ArticleData>} */
const articleData = new WeakMap();

/** What an article's attributes cannot hold exactly. @param {Element} article */
function dataOf(article) {
  let data = articleData.get(article);
  if (!data) {
    data = /** @type {ArticleData} */ (JSON.parse(article.querySelector("script.data")?.textContent ?? "{}"));
    articleData.set(article, data);
  }
  return data;
}

/** Where a piece of a text lies, by UTF-16 units. @param {Element} text @param {number} start @param {number} end */
function rangeIn(text, start, end) {
  const range = new Range();
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  let before = 0;
  while (walker.nextNode()) {
    const length = walker.currentNode.nodeValue?.length ?? 0;
    if (start >= before && start < before + length) range.setStart(walker.currentNode, start - before);
    if (end > before && end <= before + length) {
      range.setEnd(walker.currentNode, end - before);
      return range;
    }
    before += length;
  }
  return null;
}

/** @param {string} name @param {Range[]} ranges */
function paint(name, ranges) {
  if (!("highlights" in CSS)) return;
  if (ranges.length) CSS.highlights.set(name, new Highlight(...ranges));
  else CSS.highlights.delete(name);
}
