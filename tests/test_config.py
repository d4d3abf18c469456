from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from mtalign.config import digest, load
from mtalign.errors import ConfigError

CONFIGS = Path(__file__).parents[1] / "configs"
MINIMAL = "encoder: {model: starter:e5-small}\n"


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_presets_are_valid(path: Path) -> None:
    config = load(path)
    assert all(config.translator(lang) for lang in ("ko", "uk", "ru"))


def test_the_preset_of_nllb_states_its_licence() -> None:
    assert "CC-BY-NC" in (CONFIGS / "nllb.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("encoder: [", "is not YAML"),
        ("", "is not valid"),
        (MINIMAL + "aling: {}", "aling"),
        (MINIMAL + "align: {largset: 3}", "align.largset"),
        (MINIMAL + "align: {largest: many}", "align.largest"),
        (MINIMAL + "translate: {kr: {model: x}}", "unknown languages .*kr"),
        (MINIMAL + "translate: {ko: {model: x, options: {beam_size: 0}}}", "beam_size is 0"),
        (MINIMAL + "translate: {ko: {engine: magic, model: x}}", "translate.ko.engine"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(content)
    with pytest.raises(ConfigError, match=rf"(?s)mine\.yaml.*{message}"):
        load(path)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "none.yaml")


def test_every_option_can_be_written_in_yaml(tmp_path: Path) -> None:
    # An option called `null` could not: YAML reads that key as nothing.
    path = tmp_path / "all.yaml"
    path.write_text(MINIMAL)
    whole = load(path)
    path.write_text(yaml.safe_dump(whole.model_dump(mode="json")))
    assert load(path) == whole


def test_a_digest_changes_with_every_option(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    digests = set()
    for largest in (3, 4, 5):
        path.write_text(MINIMAL + f"align: {{largest: {largest}}}")
        digests.add(digest(load(path).align))
    assert len(digests) == 3
