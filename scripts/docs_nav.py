"""The order of the pages on the documentation site; a page that is not named here stands at the end."""

from __future__ import annotations

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig

SECTIONS = {
    "Begin": ["index", "way"],
    "Use": [
        "commands", "configuration", "formats", "translation", "engines", "quality", "alignment",
        "projection", "report", "publishing", "search", "scaling", "reliability",
    ],
    "Measured": ["benchmarks"],
    "Inside": ["architecture", "aligner", "dependencies"],
}  # fmt: skip


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Set the navigation from the pages that are there."""
    left = {path.stem for path in Path(config.docs_dir).glob("*.md")}
    nav: list[dict[str, list[str]]] = []
    for section, names in SECTIONS.items():
        found = [name for name in names if name in left]
        left -= set(found)
        if section == "Measured":
            benchmarks = sorted(name for name in left if name.startswith("benchmarks-"))
            found += benchmarks
            left -= set(benchmarks)
        nav.append({section: [f"{name}.md" for name in found]})
    if left:
        nav.append({"More": [f"{name}.md" for name in sorted(left)]})
    config.nav = nav
    return config
