"""The pages beside a model: one file that needs no network, whatever stands in texts; a card the hub can read."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import browser
from databases import silent
from huggingface_hub import ModelCard

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Event, Notice
from get_tags_train.core.files import read_json, write_json
from get_tags_train.data.prepared import PreparedData
from get_tags_train.evaluation import charts, report
from get_tags_train.evaluation.evaluate import Evaluation, References, evaluate
from get_tags_train.model.judgement_record import ControlRecord, JudgementRecord, ShareRecord
from get_tags_train.model.metadata import METADATA_FILE, own_metadata, write_metadata
from get_tags_train.model.tagger import TagModel
from get_tags_train.model.training_record import write_training_record
from get_tags_train.splits.eval_set import HELD_OUT, RARE, SAMPLES, EvalSet

EVIL = '<script>alert("x")</script> & </td>'


class Outline(HTMLParser):
    """The elements of a page, and where any of them would fetch something."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "srcset"}]


@pytest.fixture
def model(tmp_path: Path, small_home: Path, small_model: Path) -> Path:
    """A copy of the small model, with what its data say."""
    folder = Path(shutil.copytree(small_model, tmp_path / "models" / small_model.name))
    data = PreparedData(small_home / "_cache" / "_data" / "tags_v1")
    write_training_record(folder, data, np.zeros(data.manifest.documents_kept, bool), tmp_path)
    return folder


def scored(model: Path, **references: Any) -> Evaluation:
    tags = [entry["tag"] for entry in read_json(model / METADATA_FILE)["tags"]][:3]
    texts = [f"{EVIL} numărul {n}" for n in range(30)]
    test_set = EvalSet.of_documents(HELD_OUT, texts, [[tags[n % 3], EVIL] for n in range(30)])
    return evaluate(
        model,
        replace(test_set, name=SAMPLES),
        top_k=3,
        device="cpu",
        on_event=silent,
        references=References(**references),
        further={"held_out": test_set},
    )


def test_the_page_is_one_file_and_texts_stay_texts(model: Path) -> None:
    report.record(model, scored(model), silent)
    page = (model / "report.html").read_text(encoding="utf-8")
    outline = Outline()
    outline.feed(page)
    assert outline.tags.count("script") == 1
    assert outline.fetched == ["data:,"]
    assert not re.search(r"@import|url\(|https?://", page)
    assert "&lt;script&gt;" in page
    assert outline.tags.count("svg") >= 8


def evil(value: Any, key: str = "") -> Any:
    """The facts of a model with markup in every string but dates and the few codes that are looked up."""
    if isinstance(value, dict):
        return {name: evil(each, name) for name, each in value.items()}
    if isinstance(value, list):
        return [evil(each, key) for each in value]
    is_code = key in {"rival", "date", "created", "sha256", "samples_sha256"}
    return value + EVIL + '" onload="x' if isinstance(value, str) and not is_code else value


def test_whatever_a_model_says_of_itself_stays_text(model: Path, tmp_path: Path) -> None:
    live = Path(shutil.copytree(model, tmp_path / "live"))
    facts = read_json(live / METADATA_FILE)
    write_json(live / "get_tags.json", {**facts, "tags": [*facts["tags"], {"tag": "vechi", "documents": 3}]})
    report.record(model, scored(model, live=live), silent)
    write_json(model / "get_tags.json", evil(read_json(model / METADATA_FILE)))
    report.write_pages(model)
    outline = Outline()
    outline.feed((model / "report.html").read_text(encoding="utf-8"))
    assert outline.tags.count("script") == 1
    assert outline.fetched == ["data:,"]
    assert outline.attributes & {"onload", "onclick", "src"} == set()


def test_the_page_speaks_of_the_live_model(model: Path, tmp_path: Path) -> None:
    live = Path(shutil.copytree(model, tmp_path / "live"))
    facts = read_json(live / METADATA_FILE)
    write_json(live / "get_tags.json", {**facts, "tags": [*facts["tags"], {"tag": "vechi", "documents": 3}]})
    found = scored(model, live=live)
    report.record(model, found, silent)
    page = (model / "report.html").read_text(encoding="utf-8")
    assert found.comparisons[0].sentence.split(" (")[0] in page
    assert found.tag_changes is not None
    assert found.tag_changes.gone == ["vechi"]
    assert "live model" in page


def test_a_model_that_was_not_evaluated_yet_has_its_pages(model: Path) -> None:
    report.write_pages(model)
    page = (model / "report.html").read_text(encoding="utf-8")
    assert "Documents by their tokens" in page
    assert "Evaluations" not in page


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        ({"data": {"summary": {"created": "", "documents_read": 1, "documents_kept": 1}}}, "data.summary.figures"),
        ({"evaluations": [{"top_k": 2}]}, "evaluations.0: precision_at_k lacks 1"),
        ({"epochs": [{}]}, "epochs.0.loss"),
        ({"settings": {"epochs": "many"}}, "settings.epochs"),
    ],
)
def test_damage_is_told_by_its_place_in_the_file(model: Path, damage: dict[str, Any], named: str) -> None:
    page = (model / "report.html").read_bytes()
    write_json(model / "get_tags.json", read_json(model / METADATA_FILE) | damage)
    with pytest.raises(GetTagsError, match=re.escape(f"holds no metadata of a model: {named}")):
        report.write_pages(model)
    assert (model / "report.html").read_bytes() == page


def test_evaluations_of_an_earlier_version_are_still_shown(model: Path) -> None:
    old = {
        "date": "2026-01-01T10:00:00+02:00", "model": model.name, "examples": 40, "top_k": 2,
        "precision_at_k": {"1": 0.5, "2": 0.4}, "most_frequent_precision_at_k": None, "examples_without_tags": 0,
        "unknown_tags": {}, "samples": "s.csv", "samples_sha256": "ab" * 32, "seconds": 1.0,
    }  # fmt: skip
    write_json(model / "get_tags.json", {**read_json(model / METADATA_FILE), "evaluations": [old]})
    report.write_pages(model)
    assert "0.400" in (model / "report.html").read_text(encoding="utf-8")
    assert "| 2 | 0.400 |" in (model / "README.md").read_text(encoding="utf-8")


def test_the_card_is_one_that_the_hub_reads(model: Path) -> None:
    found = scored(model)
    report.record(model, found, silent)
    card = ModelCard.load(model / "README.md")
    assert (card.data.pipeline_tag, card.data.library_name) == ("text-classification", "transformers")
    assert card.data.base_model is None  # a folder of this machine is no name on the hub
    results = {(r.dataset_type, r.metric_type): r.metric_value for r in card.data.eval_results or []}
    assert results["get-tags/held-out-documents", "precision_at_3"] == found.precision_at_k["3"]
    assert len(results) == 2 * (3 + 5)
    assert "{{" not in card.content
    assert "\n\n\n" not in card.content


def test_only_the_newest_evaluation_keeps_what_is_long(model: Path) -> None:
    for _ in range(2):
        report.record(model, scored(model), silent)
    first, second = read_json(model / METADATA_FILE)["evaluations"]
    assert "worst_examples" in second
    assert not {"worst_examples", "tags"} & (first.keys() | first["held_out"].keys())


def test_many_evaluations_on_one_test_set_are_warned_of(model: Path) -> None:
    found, events = scored(model), list[Event]()
    for n in range(report.MANY_EVALUATED):
        other = model.with_name(f"other-{n}")
        other.mkdir()
        write_json(other / "get_tags.json", {"evaluations": [{"samples_sha256": found.samples_sha256}]})
    report.record(model, found, events.append)
    (notice,) = [event for event in events if isinstance(event, Notice)]
    assert f"{report.MANY_EVALUATED + 1} models were evaluated on these" in notice.message


def with_another_live(model: Path, live: Path) -> Path:
    """A live model that ranks tags the other way round: its tags are named in the reverse order."""
    shutil.copytree(model, live)
    facts = read_json(live / METADATA_FILE)
    names = [entry["tag"] for entry in facts["tags"]]
    for entry, name in zip(facts["tags"], reversed(names), strict=True):
        entry["tag"] = name
    write_json(live / METADATA_FILE, facts)
    config = read_json(live / "config.json")
    config["id2label"] = {str(n): name for n, name in enumerate(reversed(names))}
    config["label2id"] = {name: n for n, name in enumerate(reversed(names))}
    write_json(live / "config.json", config)
    return live


def test_the_page_says_what_changes_for_each_tag_with_examples(model: Path, tmp_path: Path) -> None:
    live = with_another_live(model, tmp_path / "live")
    texts = [f"Contractul numărul {n}" for n in range(30)]
    known = [[tags[0].tag] for tags in TagModel.load(model).predict(texts, top_n=1)]
    test_set = EvalSet.of_documents(HELD_OUT, texts, known)
    found = evaluate(model, test_set, top_k=1, device="cpu", on_event=silent, references=References(live=live))
    report.record(model, found, silent)
    page = (model / "report.html").read_text(encoding="utf-8")
    assert "What changes for each tag against the live model" in page
    assert page.count("</span> found now</p>") == sum(len(row.examples) for row in found.flips) > 0


def test_settings_are_explained_and_yes_is_a_word(model: Path) -> None:
    report.write_pages(model)
    page = (model / "report.html").read_text(encoding="utf-8")
    assert "<tr><th>deterministic<td>no<td" in page
    assert "The peak learning rate of the pretrained layers." in page
    assert "True" not in page
    assert "False" not in page


def test_a_single_example_gets_no_section(model: Path) -> None:
    tag = read_json(model / METADATA_FILE)["tags"][0]["tag"]
    one = EvalSet.of_documents(RARE, ["un text"], [[tag]])
    many = EvalSet.of_documents(HELD_OUT, [f"text {n}" for n in range(9)], [[tag]] * 9)
    found = evaluate(model, many, top_k=2, device="cpu", on_event=silent, further={"rare": one})
    report.record(model, found, silent)
    page = (model / "report.html").read_text(encoding="utf-8")
    assert "there is no section on: test samples chosen for rare tags." in page
    assert "<h2>1 " not in page


def test_the_page_shows_the_models_over_time(model: Path) -> None:
    found = scored(model)
    older = Path(shutil.copytree(model, model.with_name("older")))
    facts = read_json(older / METADATA_FILE)
    write_json(older / METADATA_FILE, {**facts, "name": "older", "created": "2020-01-01T00:00:00+02:00"})
    report.record(older, found, silent)
    assert "Models over time" not in (older / "report.html").read_text(encoding="utf-8")
    report.record(model, found, silent)
    page = (model / "report.html").read_text(encoding="utf-8")
    assert page.index("Models over time") < page.index(">older<") < page.index(f">{model.name}</text>")


SHOWN = "return [...document.querySelector('table.sortable').tBodies[0].rows].filter((row) => !row.hidden)"


@pytest.mark.system
def test_in_a_browser_a_table_is_sorted_searched_and_saved(model: Path) -> None:
    report.record(model, scored(model), silent)
    tags = [entry["tag"] for entry in read_json(model / METADATA_FILE)["tags"]]
    with browser() as window:
        window.open((model / "report.html").as_uri())
        window.run("for (const each of document.querySelectorAll('details')) each.open = true;")
        for heading, column in (("th:nth-child(3) button", 2), ("th:nth-child(2) button", 1)):
            window.click(f"table.sortable {heading}")
            values = window.run(f"{SHOWN}.map((row) => Number(row.cells[{column}].dataset.value || -1))")
            assert values == sorted(values, reverse=True)
        window.type(".table-bar input", tags[0].upper())
        assert set(window.run(f"{SHOWN}.map((row) => row.cells[0].textContent)")) == {tags[0]}
        saved = window.run(
            "let made; URL.createObjectURL = (blob) => { made = blob; return '#'; };"
            "document.querySelector('.table-bar button').click(); return made.text();"
        )
        assert [line.split(",")[0] for line in saved.splitlines()] == ['"tag"', f'"{tags[0]}"']
        assert window.complaints() == []


@pytest.mark.system
@pytest.mark.parametrize("width", [360, 1_000])
def test_in_a_browser_the_page_fits_its_window_and_follows_dark(model: Path, width: int, tmp_path: Path) -> None:
    report.record(model, scored(model, live=with_another_live(model, tmp_path / "live")), silent)
    with browser() as window:
        window.look(width=width, dark=True)
        window.open((model / "report.html").as_uri())
        window.run("for (const each of document.querySelectorAll('details')) each.open = true;")
        assert window.run("return document.documentElement.scrollWidth") <= width
        assert window.run("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 24, 31)"


def test_names_of_lines_do_not_lie_on_each_other() -> None:
    lines = [charts.Line(name, "model", [0.5, 0.5]) for name in ("one", "two", "three")]
    drawn = charts.curves(lines, title="t", x_title="k", highest=1.0)
    heights = sorted(float(y) for y in re.findall(r'class="name model" x="[\d.]+" y="([\d.]+)"', drawn))
    assert len(heights) == 3
    assert min(np.diff(heights)) >= 15


def test_a_long_name_of_a_line_has_room() -> None:
    line = charts.Line("etichetele cele mai frecvente", "model", [0.5, 0.5])
    drawn = charts.curves([line], title="t", x_title="k", highest=1.0)
    (start,) = re.findall(r'class="name model" x="([\d.]+)"', drawn)
    assert float(start) + 6 * len("etichetele cele mai frecvente 0.500") <= 640


def test_a_plot_of_one_point_and_one_of_nothing_but_zeros() -> None:
    assert "<circle" in charts.curves([charts.Line("loss", "model", [0.0])], title="t", x_title="epoch")
    assert "<rect" in charts.bars({"a": 0, "b": 0}, title="t")


def test_the_numbers_of_an_axis_are_short() -> None:
    drawn = charts.curves([charts.Line("loss", "model", [0.061, 0.0145])], title="t", x_title="epoch")
    assert re.findall(r'class="tick" x="36.0"[^>]*>([^<]+)<', drawn) == ["0", "0.02", "0.04", "0.06", "0.08"]


def test_what_people_found_stands_in_the_report(model: Path) -> None:
    record = JudgementRecord(
        date="2026-11-26T10:00:00+02:00", sheet="s", model="new", rival="old", top_k=5, documents=300, differing=150,
        judged=40, rows=120, difference=0.031, interval=[0.01, 0.052], verdict="better",
        controls=[ControlRecord(agreed=12, agreed_right=11.0, absurd=12, absurd_right=1.0, care=0.833333)],
        kappa=0.71, right_though_wrong=ShareRecord(rows=50, count=20, interval=[0.28, 0.54]),
    )  # fmt: skip
    write_metadata(model, own_metadata(model).with_judgement(record))
    report.write_pages(model)
    page = (model / "report.html").read_text(encoding="utf-8")
    for said in (record.sentence, "20 of 50 (28% to 54%)", "11 of 12 on which all agree", "0.71", "40 judged, of 150"):
        assert said in page
