"""A report of many pages, as files and served: nothing is lost between them, and nobody else gets in."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from corpus import news
from msgspec.structs import replace
from serving import serving
from summit import links, summit, written
from typer.testing import CliRunner

from mtalign.alignment import Tuple
from mtalign.cli import app
from mtalign.document import Document, Sentence, Span
from mtalign.encode import Encoder
from mtalign.errors import UsageError
from mtalign.record import Record, encode_json
from mtalign.report import write
from mtalign.report.article import article_view
from mtalign.report.catalog import CATALOG
from mtalign.report.links import LINKS, LinkFile, link_article, make_links
from mtalign.report.page import Shown
from mtalign.report.serve import ReportServer
from mtalign.report.source import Source
from mtalign.report.write import Paginator, write_report
from mtalign.review import REVIEWS, Review, read_reviews
from mtalign.store import Run
from mtalign.words import Linker

NEWS = news()


def copies(count: int) -> Iterator[Record]:
    """Yield the articles of the news corpus over and over, each time under other ids."""
    for number in range(count):
        for each in NEWS:
            source = replace(each.source, id=f"{each.id}-{number}")
            yield replace(each, id=source.id, source=source)


def entries_of(script: str) -> list[dict[str, object]]:
    match = re.fullmatch(r"mtalignFound\(\d+, (.*)\);\n", script, re.S)
    assert match
    found: list[dict[str, object]] = json.loads(match[1])
    return found


def test_a_large_report_is_an_index_and_pages_that_hold_every_article_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "SINGLE_PAGE_ROWS", 50)
    monkeypatch.setattr(write, "PAGE_ROWS", 40)
    records = list(copies(2))
    made = write_report([Shown(each) for each in records], [], tmp_path / "news.html", "News")
    assert made.folder == tmp_path / "news-pages"
    pages = sorted(made.folder.glob("0*.html"))
    assert len(pages) == made.pages > 2
    anchors = [a for p in pages for a in re.findall(r'<article [^>]*id="([^"]*)"', p.read_text("utf-8"))]
    assert anchors == [article_view(each).anchor for each in records]
    entries = [e for p in sorted(made.folder.glob("find-*.js")) for e in entries_of(p.read_text("utf-8"))]
    assert [each["anchor"] for each in entries] == anchors
    index = made.path.read_text("utf-8")
    match = re.search(r'id="lines">(.*?)</script>', index)
    assert match
    listed = {line[0]: line[8] for line in json.loads(match[1])}
    for page in pages:
        text = page.read_text("utf-8")
        assert all(f'id="{a}"' in text for a, number in listed.items() if number == int(page.stem))
        assert 'href="../news.html"' in text


def test_fewer_pages_replace_more_but_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "SINGLE_PAGE_ROWS", 5)
    monkeypatch.setattr(write, "PAGE_ROWS", 20)
    out = tmp_path / "r.html"
    assert write_report([Shown(each) for each in NEWS], [], out, "R").pages > 2
    assert write_report([Shown(NEWS[0])], [], out, "R").pages == 1
    assert sorted(each.name for each in (tmp_path / "r-pages").iterdir()) == ["0001.html", "find-0001.js"]
    (tmp_path / "r-pages" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt, which is no page"):
        write_report([Shown(NEWS[0])], [], out, "R")


def test_an_article_is_never_cut_and_a_page_ends_when_it_is_full() -> None:
    paginator = Paginator()
    assert [paginator.place(rows) for rows in (150, 150, 1, 700, 5, 299)] == [1, 1, 2, 3, 4, 5]


# --- Word links ---


def test_word_links_join_words_of_the_texts_and_follow_them(tmp_path: Path, encoder: Encoder) -> None:
    record = NEWS[0]
    run = written(tmp_path / "run", record)
    linker = Linker(encoder)
    assert make_links(run.path, run.records(), linker.link, lambda _: None) == 1
    assert make_links(run.path, run.records(), linker.link, lambda _: None) == 0
    found = LinkFile(run.path).of(record)
    assert found == link_article(record, linker.link).links
    assert set(found) == set(record.targets)
    gold = {
        (entity.span, p.entity.span)
        for p in record.projections["uk"]
        if p.entity
        for entity in record.source.entities
        if entity.id == p.source
    }
    hits = sum(
        any(
            a < left.end and b > left.start and c < right.end and d > right.start
            for a, b, c, d in found["uk"]
        )
        for left, right in gold
    )
    assert hits > 0.8 * len(gold)
    view = article_view(record, found)
    sentences = {lang: each.sentence_texts() for lang, each in record.documents().items()}
    drawn = {
        (
            sentences["en"][e.sentence][e.start : e.end],
            sentences[e.lang][e.other_sentence][e.other_start : e.other_end],
        )
        for e in view.links
    }
    said = {
        (record.source.text[a:b], record.targets[lang].text[c:d])
        for lang in found
        for a, b, c, d in found[lang]
    }
    assert drawn == said
    changed = replace(
        record,
        targets={**record.targets, "uk": replace(record.targets["uk"], text=record.targets["uk"].text + " ")},
    )
    assert LinkFile(run.path).of(changed) == {}


# --- Served ---


def ask(
    server: ReportServer, path: str, *, body: bytes | None = None, **headers: str
) -> tuple[int, str, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("POST" if body is not None else "GET", path, body=body, headers=named)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def a_review(record: Record) -> Review:
    ko = record.targets["ko"]
    return Review(record.id, "ko", "reject", (0,), ko.sentence_texts()[0], entity="E1", start=0, end=2)


def test_served_pages_are_those_of_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write, "PAGE_ROWS", 40)
    run = written(tmp_path / "run", *NEWS, summit())
    with serving(run) as server:
        root = urlsplit(server.address).path
        status, index, headers = ask(server, root)
        assert status == 200
        assert "7 articles" in index
        assert headers["Access-Control-Allow-Origin"] is None
        assert headers["Referrer-Policy"] == "no-referrer"
        count = server.catalog.pages()
        assert count > 1
        anchors = []
        for page in range(1, count + 1):
            _, text, _ = ask(server, f"{root}pages/{page:04}.html")
            anchors += re.findall(r'<article [^>]*id="([^"]*)"', text)
            _, script, _ = ask(server, f"{root}pages/find-{page:04}.js")
            assert [e["anchor"] for e in entries_of(script)] == re.findall(
                r'<article [^>]*id="([^"]*)"', text
            )
        assert anchors == [article_view(shown.record).anchor for shown in Source(run)]
        assert ask(server, f"{root}pages/9999.html")[0] == 404
    # A second opening reads no record again.
    before = (run.path / CATALOG).stat().st_size
    with serving(run) as server:
        assert server.catalog.complete
        assert (run.path / CATALOG).stat().st_size == before


def test_only_this_machine_with_the_token_is_answered(tmp_path: Path) -> None:
    with serving(written(tmp_path / "run", summit())) as server:
        root = urlsplit(server.address).path
        assert len(server.token) >= 32
        assert server.server_address[0] == "127.0.0.1"
        for path in (
            "/",
            "/x/",
            f"{root[:-2]}/",
            f"{root}../",
            f"{root}pages/../../run.jsonl",
            root.rstrip("/"),
        ):
            assert ask(server, path)[0] == 404, path
        assert ask(server, root, Host="evil.example")[0] == 403
        assert ask(server, root, Host=f"localhost:{server.server_port}")[0] == 200


def test_a_served_review_is_in_the_run_and_on_the_page_at_once(tmp_path: Path) -> None:
    record = summit()
    run = written(tmp_path / "run", record)
    review = a_review(record)
    line = encode_json(review)
    with serving(run) as server:
        root = urlsplit(server.address).path
        kind = {"Content_Type": "application/jsonl"}
        assert ask(server, f"{root}reviews", body=line, Content_Type="text/plain")[0] == 415
        assert ask(server, f"{root}reviews", body=line, Origin="http://evil.example", **kind)[0] == 403
        assert ask(server, f"{root}reviews", body=line, Host="evil.example", **kind)[0] == 403
        assert ask(server, f"/{'x' * 32}/reviews", body=line, **kind)[0] == 404
        assert ask(server, f"{root}pages/0001.html", body=line, **kind)[0] == 404
        refused = ask(server, f"{root}reviews", body=line + b"\n{}", **kind)
        assert refused[0] == 400
        assert "article" in refused[1]
        assert not (run.path / REVIEWS).exists()

        origin = f"http://127.0.0.1:{server.server_port}"
        assert ask(server, f"{root}reviews", body=line, Origin=origin, **kind)[:2] == (200, "1 new")
        assert read_reviews(run.path).reviews == [review]
        assert "rejected in review" in ask(server, f"{root}pages/0001.html")[1]
        assert "rejected in review" in ask(server, root)[1]
    with serving(run) as server:
        assert "rejected in review" in ask(server, urlsplit(server.address).path)[1]


def test_a_catalog_is_made_anew_when_the_records_change(tmp_path: Path) -> None:
    run = written(tmp_path / "run", summit())
    with serving(run):
        pass
    written(run.path, NEWS[0])
    with serving(Run(run.path)) as server:
        assert server.catalog.total().articles == 2
    (run.path / CATALOG).write_bytes(b"not a database at all")
    with serving(Run(run.path)) as server:
        assert server.catalog.total().articles == 2


def test_the_command_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    run = written(tmp_path / "run", summit())
    # A shell that starts the tests in the background has interrupts ignored by all that it starts.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heard}; from mtalign.cli import main; main()"
    command = [sys.executable, "-c", code, "report", str(run.path), "--serve", "--title", "Gipfel"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        address = process.stdout.readline().strip()
        with urlopen(address, timeout=30) as answer:  # noqa: S310  (an address of our own)
            assert "<h1><bdi>Gipfel</bdi></h1>" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        try:
            _, complaints = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, complaints) == (0, "")


def test_the_command_wants_a_file_or_to_serve(tmp_path: Path) -> None:
    run = written(tmp_path / "run", summit())
    result = CliRunner().invoke(app, ["report", str(run.path)])
    assert isinstance(result.exception, UsageError)
    assert "-o FILE" in str(result.exception)


def test_links_of_a_run_are_used_without_being_asked_for(tmp_path: Path) -> None:
    record = summit()
    run = written(tmp_path / "run", record)
    (run.path / LINKS).write_bytes(b'{"article": "torn' + b"\n" + encode_json(links(record)) + b"\n")
    (shown,) = Source(run)
    assert shown.view().links


# --- In the terminal ---


def test_the_terminal_shows_every_sentence_within_its_width(tmp_path: Path) -> None:
    from rich.cells import cell_len

    record = summit()
    run = written(tmp_path / "run", record)
    for width in (40, 70, 160):
        result = CliRunner().invoke(app, ["show", str(run.path), "summit", "--width", str(width)])
        assert result.exit_code == 0, result.output
        assert max(cell_len(line) for line in result.output.splitlines()) <= width
        shown = re.sub(r"\s|\?0\.\d\d", "", result.output)
        if width == 40:
            # One below the other: what is wrapped stands together.
            for lang, document in record.documents().items():
                for text in document.sentence_texts():
                    assert re.sub(r"\s", "", text) in shown, lang
    assert "no-counterpart" not in result.output
    assert "no counterpart" in result.output
    listed = CliRunner().invoke(app, ["show", str(run.path)])
    assert "summit" in listed.output


def test_no_text_steers_the_terminal(tmp_path: Path) -> None:
    text = "A \x1b[31mred\x1b[0m [bold]word[/bold]\u202e\x07."
    document = Document("h", "en", text, (Sentence(Span(0, len(text))),))
    hostile = Record("h", document, "test", tuples=(Tuple({"en": (0,)}),))
    run = written(tmp_path / "run", hostile)
    result = CliRunner().invoke(app, ["show", str(run.path), "h", "--width", "200"])
    assert result.exit_code == 0, result.output
    assert not set(result.output) & {"\x1b", "\x07", "\u202e"}
    assert "[bold]word[/bold]" in result.output


def test_an_unknown_article_is_one_clear_error(tmp_path: Path) -> None:
    run = written(tmp_path / "run", summit())
    result = CliRunner().invoke(app, ["show", str(run.path), "nobody"])
    assert isinstance(result.exception, UsageError)
