"""n-way tuples out of the beads of every pair of languages."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from mtalign.alignment import Bead, Tuple

Place = tuple[str, int]


def tuples(counts: Mapping[str, int], beads: Mapping[tuple[str, str], Sequence[Bead]]) -> tuple[Tuple, ...]:
    """Group the sentences of n languages: each sentence comes out in exactly one tuple, in reading order.

    Every bead links each of its left sentences with each of its right ones. A link is kept if a third
    language vouches for it (some sentence there is linked with both its ends), or if no third language
    can speak (none has links to both ends); connected components of the kept links are the tuples. The
    witness keeps one bad bead from chaining paragraphs together. A language without a text, or a pair
    without beads, is simply a witness less.

    Args:
        counts: number of sentences by language, the source language first.
        beads: beads by pair of languages, in either order of the pair.
    """
    links = _links(beads)
    neighbours: dict[Place, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for (a_lang, a), (b_lang, b) in links:
        neighbours[a_lang, a][b_lang].add(b)
        neighbours[b_lang, b][a_lang].add(a)
    kept = {link: score for link, score in links.items() if _is_vouched_for(link, neighbours)}
    return _in_reading_order(list(counts), _components(counts, kept))


def _links(beads: Mapping[tuple[str, str], Sequence[Bead]]) -> dict[tuple[Place, Place], float]:
    return {
        ((left, i), (right, j)): bead.score
        for (left, right), pair in beads.items()
        for bead in pair
        for i in bead.left
        for j in bead.right
    }


def _is_vouched_for(link: tuple[Place, Place], neighbours: Mapping[Place, Mapping[str, set[int]]]) -> bool:
    first, second = link
    thirds = (neighbours[first].keys() & neighbours[second].keys()) - {first[0], second[0]}
    return not thirds or any(neighbours[first][lang] & neighbours[second][lang] for lang in thirds)


def _components(counts: Mapping[str, int], links: Mapping[tuple[Place, Place], float]) -> list[Tuple]:
    parent: dict[Place, Place] = {
        (lang, i): (lang, i) for lang, count in counts.items() for i in range(count)
    }

    def root(place: Place) -> Place:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    for first, second in links:
        parent[root(second)] = root(first)
    members: dict[Place, list[Place]] = defaultdict(list)
    for place in parent:
        members[root(place)].append(place)
    scores: dict[Place, list[float]] = defaultdict(list)
    for (first, _), score in links.items():
        scores[root(first)].append(score)
    return [
        Tuple(
            {
                lang: tuple(i for at, i in places if at == lang)
                for lang in counts
                if any(at == lang for at, _ in places)
            },
            round(sum(scores[key]) / len(scores[key]), 4) if scores[key] else 0.0,
        )
        for key, places in members.items()
    ]


def _in_reading_order(langs: Sequence[str], groups: Sequence[Tuple]) -> tuple[Tuple, ...]:
    """Sort by the first language; what that lacks follows the sentence before it in its own language."""
    ordered: list[Tuple] = []
    for position, lang in enumerate(langs):
        new = [
            each for each in groups if lang in each.sents and not each.sents.keys() & set(langs[:position])
        ]
        for each in sorted(new, key=lambda group: group.sents[lang]):
            before = each.sents[lang][0] - 1
            at = next((k for k, other in enumerate(ordered) if before in other.sents.get(lang, ())), -1)
            ordered.insert(at + 1 if position else len(ordered), each)
    return tuple(ordered)
