"""TMX and TSV: what goes out comes back, and hostile or broken files are refused by place."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtalign.errors import InputError
from mtalign.formats import tmx
from mtalign.formats.bitext import Unit
from mtalign.formats.tmx import Written, read_tmx, write_tmx
from mtalign.formats.tsv import read_tsv, write_tsv

LANGS = ("en", "ko", "uk", "ru")
COLUMNS = ("unit", "score", *LANGS, "note")

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
XML_TEXT = st.text(
    st.characters(
        exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n\r"
    ),
    max_size=30,
)
SCORES = st.none() | st.floats(allow_nan=False)


def units(text: st.SearchStrategy[str]) -> st.SearchStrategy[list[Unit]]:
    texts = st.dictionaries(st.sampled_from(LANGS), text, min_size=1)
    return st.lists(st.builds(Unit, texts, st.none() | text, SCORES, st.none() | text), max_size=4)


def to_tmx(path: Path, found: Iterable[Unit]) -> Written:
    with path.open("wb") as stream:
        return write_tmx(stream, found, "en")


def to_tsv(path: Path, found: Iterable[Unit], **options: bool) -> int:
    with path.open("wb") as stream:
        return write_tsv(stream, found, COLUMNS, **options)


def write(path: Path, body: str, before: str = "") -> Path:
    path.write_text(
        f"<?xml version='1.0'?>\n{before}<tmx version='1.4'>\n<header/>\n<body>\n{body}\n</body></tmx>",
        encoding="utf-8",
    )
    return path


def tuv(lang: str, segment: str) -> str:
    return f"<tuv xml:lang='{lang}'><seg>{segment}</seg></tuv>"


# A folder is shared between examples on purpose: each writes the file anew.
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@shared_folder
@given(units(XML_TEXT))
def test_tmx_round_trip(tmp_path: Path, given_units: list[Unit]) -> None:
    path = tmp_path / "a.tmx"
    assert to_tmx(path, given_units) == Written(len(given_units), 0)
    assert list(read_tmx(path)) == given_units


@shared_folder
@given(units(ANY_TEXT))
def test_what_xml_cannot_hold_is_replaced_and_counted(tmp_path: Path, given_units: list[Unit]) -> None:
    path = tmp_path / "a.tmx"
    replaced = to_tmx(path, given_units).replaced
    pairs = [
        pair
        for before, after in zip(given_units, read_tmx(path), strict=True)
        for lang in before.texts
        for pair in zip(before.texts[lang], after.texts[lang], strict=True)
    ]
    changed = [pair for pair in pairs if pair[0] != pair[1]]
    assert all(after == "\ufffd" for _, after in changed)
    others = sum(len(each.id or "") + len(each.note or "") for each in given_units)
    assert len(changed) <= replaced <= len(changed) + others


def test_a_null_character_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.tmx"
    assert to_tmx(path, [Unit({"en": "a\x00b\x0c", "ko": "\ud800"})]) == Written(1, 3)
    assert next(read_tmx(path)).texts == {"en": "a\ufffdb\ufffd", "ko": "\ufffd"}


@shared_folder
@given(units(ANY_TEXT))
def test_tsv_round_trip(tmp_path: Path, given_units: list[Unit]) -> None:
    path = tmp_path / "a.tsv"
    # An empty cell is no text: what is left is what can come back.
    wanted = [
        Unit(
            {lang: each.texts[lang] for lang in LANGS if each.texts.get(lang)},
            each.id or None,
            each.score,
            each.note or None,
        )
        for each in given_units
        if any(each.texts.values())
    ]
    assert to_tsv(path, wanted) == len(wanted)
    assert len(path.read_bytes().split(b"\n")) == len(wanted) + 2
    assert list(read_tsv(path)) == wanted


def test_four_languages_stand_in_one_unit(tmp_path: Path) -> None:
    path = tmp_path / "a.tmx"
    to_tmx(path, [Unit({"en": "Rain.", "ko": "비.", "uk": "Дощ.", "ru": "Дождь."}, "d.0", 0.5, "look")])
    text = path.read_text(encoding="utf-8")
    assert text.count("<tu ") == 1
    assert text.count("<tuv ") == 4
    assert 'tuid="d.0"' in text
    assert '<prop type="score">0.5</prop>' in text


def test_files_of_other_tools(tmp_path: Path) -> None:
    bold = '<bpt i="1">&lt;b&gt;</bpt>Save<ept i="1">&lt;/b&gt;</ept>'
    path = write(
        tmp_path / "a.tmx",
        f"<!-- made by hand --><tu>{tuv('en-US', f'Press {bold} <hi>now</hi>.')}"
        f"{tuv('KO_KR', '<ph>{0}<sub>x</sub></ph>저장')}</tu>"
        f"<tu>{tuv('pt-PT', 'Ecrã')}{tuv('pt-BR', 'Tela')}</tu>",
        before="<!DOCTYPE tmx SYSTEM 'tmx14.dtd'>\n",
    )
    first, second = read_tmx(path)
    assert first == Unit({"en": "Press Save now.", "ko": "저장"}, markup=5)
    assert second.texts == {"pt": "Ecrã", "pt-BR": "Tela"}


def test_old_files_in_utf_16_with_lang(tmp_path: Path) -> None:
    path = tmp_path / "a.tmx"
    text = (
        '<?xml version="1.0" encoding="UTF-16"?><tmx version="1.1"><header/><body>'
        '<tu><tuv lang="EN"><seg>Rain.</seg></tuv><tuv lang="UK"><seg>Дощ.</seg></tuv></tu></body></tmx>'
    )
    path.write_bytes(text.encode("utf-16"))
    assert [each.texts for each in read_tmx(path)] == [{"en": "Rain.", "uk": "Дощ."}]


def test_no_entity_is_expanded_and_no_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for declaration in (f'<!ENTITY x SYSTEM "{secret.as_uri()}">', '<!ENTITY x "secret">'):
        path = write(tmp_path / "a.tmx", f"<tu>{tuv('en', '&x;')}</tu>", f"<!DOCTYPE tmx [{declaration}]>\n")
        with pytest.raises(InputError, match=r"a\.tmx:6: entity &x; is not expanded"):
            list(read_tmx(path))


def test_an_entity_bomb_takes_neither_time_nor_memory(tmp_path: Path) -> None:
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    path = write(
        tmp_path / "a.tmx",
        f"<tu tuid='&e11;'>{tuv('en', 'x')}</tu>",
        f'<!DOCTYPE tmx [<!ENTITY e0 "boom">{bomb}]>\n',
    )
    with pytest.raises(InputError):
        list(read_tmx(path))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("<tu><tuv><seg>x</seg></tuv></tu>", r":5: a <tuv> of this unit has no xml:lang"),
        ("<tu><tuv xml:lang='en'/></tu>", r":5: a <tuv> of this unit has no <seg>"),
        (f"<tu>{tuv('English', 'x')}</tu>", r":5: 'English' is no language code"),
        (f"<tu>{tuv('en', 'x')}{tuv('EN', 'y')}{tuv('EN', 'z')}</tu>", r":5: two texts for 'EN'"),
        ("<tu/>", r":5: unit '' has no text"),
        (f"<tu><prop type='score'>high</prop>{tuv('en', 'x')}</tu>", r":5: score 'high' is not a number"),
    ],
)
def test_a_bad_unit_is_named_and_the_rest_can_go_on(tmp_path: Path, body: str, message: str) -> None:
    good = f"<tu>{tuv('en', 'Rain.')}</tu>"
    path = write(tmp_path / "a.tmx", f"{body}\n{good}")
    with pytest.raises(InputError, match=message):
        list(read_tmx(path))
    rejects: list[InputError] = []
    assert [each.texts for each in read_tmx(path, rejects.append)] == [{"en": "Rain."}]
    assert len(rejects) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.tmx:1: not well-formed"),
        (b"no xml at all", r"a\.tmx:1: not well-formed"),
        (b"<tmx>\n<body>\n<tu>", r"a\.tmx:3: not well-formed"),
        (b"<tmx>\n\xff</tmx>", r"a\.tmx:2: not well-formed"),
        (b"<html><body/></html>", r"not TMX: its outermost element is <html>"),
    ],
)
def test_what_is_no_tmx_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.tmx"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_tmx(path))


def test_units_before_a_break_are_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "a.tmx"
    to_tmx(path, [Unit({"en": str(number)}) for number in range(2000)])
    path.write_bytes(path.read_bytes()[:-500])
    read: list[Unit] = []
    with pytest.raises(InputError, match="not well-formed"):
        read.extend(read_tmx(path))
    assert 1900 < len(read) < 2000


def test_a_unit_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tmx, "LARGEST_UNIT", 100_000)
    path = write(tmp_path / "a.tmx", f"<tu>{'<prop/>' * 30_000}</tu>")
    with pytest.raises(InputError, match="100000 bytes without the end of a unit"):
        list(read_tmx(path))
    # Many units that are small by themselves are no problem.
    to_tmx(path, (Unit({"en": "Rain. " * 10}) for _ in range(5000)))
    assert sum(1 for _ in read_tmx(path)) == 5000


@given(st.binary(max_size=80))
@shared_folder
def test_no_bytes_bring_the_readers_down(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "any"
    for start in (b"", b"<tmx><body><tu>", b"en\tko\n"):
        path.write_bytes(start + data)
        for read in (read_tmx, read_tsv):
            with suppress(InputError):
                list(read(path))


def test_a_stream_is_written_as_it_comes() -> None:
    sizes = []

    def growing() -> Iterable[Unit]:
        for number in range(3):
            sizes.append(len(stream.getvalue()))
            yield Unit({"en": f"Sentence {number}"})

    stream = io.BytesIO()
    write_tsv(stream, growing(), ["en"])
    assert sizes == sorted(set(sizes))


def test_spreadsheet_formulas_are_neutralised_on_request(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    unit = Unit({"en": "=1+1", "ko": "- 네", "uk": "@me", "ru": "1-1"})
    to_tsv(path, [unit])
    assert next(read_tsv(path)) == unit
    to_tsv(path, [unit], neutralise_formulas=True)
    assert next(read_tsv(path)).texts == {"en": "'=1+1", "ko": "'- 네", "uk": "'@me", "ru": "1-1"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"Rain fell.\tX\n", r":1: 'Rain fell\.' is no language code"),
        (b"unit\tscore\n", r":1: header .* at least one language"),
        (b"en\ten\n", r":1: header"),
        (b"en\tko\nonly one\n", r":2: 1 cells where the header has 2"),
        (b"en\tko\n\xff\tx\n", r":2: not UTF-8 \(byte 0xff\)"),
        (b"en\tscore\nRain.\thigh\n", r":2: score 'high' is not a number"),
        (b"en\tko\n\t\n", r":2: unit '' has no text"),
    ],
)
def test_a_bad_table_is_named_by_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_tsv(path))


def test_tables_of_other_tools(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes("\ufeffen-US\tko\r\nRain.\t비.\r\n\r\nbroken\r\nSun.\t\r\n".encode())
    rejects: list[InputError] = []
    assert [each.texts for each in read_tsv(path, rejects.append)] == [
        {"en": "Rain.", "ko": "비."},
        {"en": "Sun."},
    ]
    assert ":4: 1 cells" in str(rejects[0])


def test_a_language_without_a_column_is_not_dropped_in_silence() -> None:
    with pytest.raises(InputError, match="unit 1: no column for ko in en"):
        write_tsv(io.BytesIO(), [Unit({"en": "Rain.", "ko": "비."})], ["en"])


def test_missing_files_are_input_errors(tmp_path: Path) -> None:
    for read in (read_tmx, read_tsv):
        with pytest.raises(InputError, match="nowhere cannot be read"):
            list(read(tmp_path / "nowhere"))
