"""What is there, as people read it: prepared data, models, test samples."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from get_tags_train.cli.tables import Line, Listing, data_entries, facts
from get_tags_train.core.i18n import (
    Command,
    _,
    _n,
    display_name,
    documents,
    first_of,
    format_bytes,
    ignored_ids,
    interval_text,
    number,
)
from get_tags_train.core.site_file import toml_text

_BAR_WIDTH = 40


def data_listing(home: Path, listed: Mapping[str, Any]) -> list[Line]:
    """`get-tags data`."""
    rows = [
        [
            e["name"],
            _when(e),
            e.get("source", ""),
            number(e.get("documents", 0)),
            number(e.get("tags", 0)),
            format_bytes(e["bytes"]),
        ]
        for e in listed["data"]
    ]
    if not rows:
        return [
            _(
                "There are no prepared data in {home} yet. To make them:\n{extract}",
                home=home,
                extract=Command("extract"),
            ),
            *_unfinished(listed),
        ]
    columns = [_("Name"), _("Made"), _("Source"), _("Documents"), _("Tags"), _("Size")]
    return [Listing(columns, rows, _("Prepared data of {home}", home=home)), *_unfinished(listed)]


def data_lines(data: Mapping[str, Any]) -> list[Line]:
    """`get-tags data show`."""
    figures, source = data["figures"], data["source"]
    spelt = [" = ".join(spellings) for spellings in data["respelt_tags"].values()]
    made = data["created"][:16].replace("T", " ")
    entries = data_entries(data) | {
        _("Made"): _("{made}, continued after an interruption", made=made) if data["resumed"] else made,
        _("Source"): _("ids of a file, in {database}", database=source["database"])
        if source["kind"] == "ids"
        else source["database"],
        _("Ignored ids"): ignored_ids(
            missing=data["missing_ids"], repeated=data["repeated_ids"], nulls=data["null_ids"]
        ),
        _("Tags spelt in several ways"): first_of(spelt),
        _("Same text, other tags"): _n(
            "{count:,} text; its tags were united",
            "{count:,} texts; their tags were united",
            data["conflicting_duplicates"],
        ),
        _("Seconds"): ", ".join(
            f"{display_name(part)} {number(seconds, ',.1f')}" for part, seconds in data["seconds"].items()
        ),
        _("Checksum"): data["checksum"],
    }
    return [facts(data["name"], entries), *_figures_lines(figures, source["context_length"])]


def _figures_lines(figures: Mapping[str, Any], context_length: int) -> list[Line]:
    rate, removed = figures["unknown_token_rate"], figures["removed"]
    lengths = {
        _("Cut at {context_length} tokens", context_length=context_length): _(
            "{documents}, {share:.1%}", documents=documents(figures["cut"]), share=figures["cut_share"]
        ),
        _("Unknown tokens"): _("not recorded in these data") if rate is None else number(rate, ".2%"),
        _("Removed by cleaning"): _("not recorded in these data")
        if removed is None
        else _(
            "{share:.1%} of the characters, markup included (95% of the documents lose at most {most:.1%}; "
            "far more: {documents})",
            share=removed["share"],
            most=removed["most"],
            documents=documents(removed["lost_much"]),
        ),
    }
    spreads = [(_("tags"), figures["tags_per_document"]), (_("tokens"), figures["tokens_per_document"])]
    percents = spreads[0][1]["percentiles"]
    return [
        Listing(
            [_("On so many documents"), _("Tags")], figures["tags_by_documents"].items(), _("Tags by their documents")
        ),
        Listing(
            [_("Tag"), _("Documents")],
            [[entry["tag"], number(entry["documents"])] for entry in figures["most_frequent_tags"]],
            _("The most frequent tags"),
        ),
        Listing(
            ["", _("Mean"), *(f"{percent} %" for percent in percents)],
            [[what, number(s["mean"], ",.1f"), *s["percentiles"].values()] for what, s in spreads],
            _("In a document on average; in this share of documents at most"),
        ),
        Listing(
            [_("Tokens"), _("Documents"), ""], _bars(figures["documents_by_tokens"]), _("Documents by their length")
        ),
        facts("", lengths),
    ]


def difference_lines(difference: Mapping[str, Any]) -> list[Line]:
    """`get-tags data diff`."""
    lines: list[Line] = [
        Listing(
            [_("Documents"), "", _("Ids")],
            [
                [display_name(what), number(found["count"]), first_of(found.get("first", []), found["count"])]
                for what, found in difference["documents"].items()
            ],
            _("From {old} to {new}", old=difference["old"], new=difference["new"]),
        ),
        Listing(
            [_("Tags"), "", _("Documents of the tags that changed most")],
            [
                [
                    display_name(what),
                    number(found["count"]),
                    first_of([_tag_change(changed) for changed in found["first"]], found["count"]),
                ]
                for what, found in difference["tags"].items()
            ],
        ),
    ]
    if difference["csv"]:
        lines.append(_("All ids with what happened: {csv}", csv=difference["csv"]))
    return lines


def _tag_change(changed: Mapping[str, Any]) -> str:
    return f"{changed['tag']} {number(changed['old'])} → {number(changed['new'])}"


def verified_lines(found: Iterable[Mapping[str, Any]]) -> list[Line]:
    """`get-tags data verify`."""
    return [
        f"{entry['damaged']}\n  {entry['hint']}"
        if "damaged" in entry
        else _("{name} is intact: {checksum}", name=entry["name"], checksum=entry["checksum"])
        for entry in found
    ]


def settings_lines(shown: Iterable[Mapping[str, Any]]) -> list[Line]:
    """`get-tags config show`: as TOML, from which a line can be copied."""
    lines: list[Line] = []
    for section, settings in groupby(shown, key=itemgetter("section")):
        lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        lines += [f"{s['key']} = {toml_text(_on_one_line(s['value']))}  # {s['origin']}" for s in settings]
    return lines


def _on_one_line(value: Any) -> Any:
    return " ".join(value.split()) if isinstance(value, str) else value


def samples_lines(shown: Mapping[str, Any]) -> list[Line]:
    """`get-tags samples`."""
    origins = [
        (shown["written_by_people"], _("{count:,} of your own", count=shown["written_by_people"])),
        (shown["random"], _("{count:,} added at random", count=shown["random"])),
        (shown["rare"], _("{count:,} added for rare tags", count=shown["rare"])),
        (shown["judged"], _("{count:,} judged by people", count=shown["judged"])),
    ]
    entries: dict[str, object] = {
        _("Examples"): f"{number(shown['examples'])}: {', '.join(said for count, said in origins if count)}",
        _("Tags"): number(shown["tags"]),
    }
    if shown["data"]:
        entries[_("Tags")] = _(
            "{covered:,} of the {tags:,} of {data}",
            covered=shown["data_tags_covered"],
            tags=shown["data_tags"],
            data=shown["data"],
        )
        entries[_("Unknown tags")] = first_of(
            [
                _("{tag} (line {lines})", tag=tag, lines=", ".join(map(str, lines)))
                for tag, lines in shown["unknown_tags"].items()
            ]
        )
        entries[_("Leaks")] = first_of(
            [
                _("document {document}, line {line}: {how}", document=document, line=line, how=display_name(how))
                for document, line, how, *_similarity in shown["leaks"]
            ]
        )
    entries[_("Nearly the same")] = first_of(
        [_("lines {lines}", lines=", ".join(map(str, lines))) for lines in shown["duplicates"]]
    )
    entries[_("Without labels")] = first_of([_("line {line}", line=line) for line in shown["without_labels"]])
    if within := shown["precision_at_1_within"]:
        entries[_("Uncertainty")] = _("precision@1 is known to within ± {within:.3f} (95%)", within=within)
    return [facts(shown["path"], {name: value or _("none") for name, value in entries.items()})]


def proposal_lines(proposals: Iterable[tuple[str, str, str, Sequence[str]]]) -> list[Line]:
    """Documents that `get-tags samples add` found: (id, part, text, labels) each."""
    rows = [
        [i, display_name(part), "; ".join(labels), " ".join(text[:200].split())] for i, part, text, labels in proposals
    ]
    return [Listing([_("Document"), _("Chosen"), _("Tags"), _("Text")], rows, _("New examples"))]


def models_listing(home: Path, listed: Mapping[str, Any]) -> list[Line]:
    """`get-tags models`: figures of another test set than the newest model's are set apart, for they do not compare."""
    rows = [
        [
            e["name"],
            _when(e),
            e.get("data", ""),
            e.get("test_set") or "",
            _precision_of(e),
            _("live") if e["live"] else "",
            format_bytes(e["bytes"]),
        ]
        for e in listed["models"]
    ]
    if not rows:
        return [
            _("There is no model in {home} yet. To make one:\n{train}", home=home, train=Command("train")),
            *_unfinished(listed),
        ]
    columns = [_("Name"), _("Made"), _("Data"), _("Test set"), "precision@k", _("Live"), _("Size")]
    lines: list[Line] = [Listing(columns, rows, _("Models of {home}", home=home))]
    if len({e["test_set"] for e in listed["models"] if e.get("test_set")}) > 1:
        lines.append(
            _(
                "Metrics compare within one test set only. To score a model on today's:\n{evaluate}",
                evaluate=Command("evaluate", "NAME"),
            )
        )
    return [*lines, *_unfinished(listed)]


def _precision_of(entry: Mapping[str, Any]) -> str:
    figures = entry.get("precision_at_k", {})
    intervals = entry.get("intervals", {})
    shown = [f"@{k} {number(value, '.3f')}" for k, value in figures.items() if k in ("1", list(figures)[-1])]
    if figures and (last := list(figures)[-1]) in intervals:
        shown[-1] += f" ({interval_text(*intervals[last])})"
    return " ".join(shown)


def history_table(live_dir: Path, changes: Iterable[Mapping[str, Any]]) -> Line:
    """`get-tags history`."""
    rows = [
        [
            str(change.get("time", ""))[:16].replace("T", " "),
            display_name(str(change.get("action", ""))),
            str(change.get("name", "")),
            _precision_of({"precision_at_k": change.get("precision_at_k") or {}}),
            str(change.get("before") or ""),
            str(change.get("by", "")),
        ]
        for change in changes
    ]
    if not rows:
        return _("Nothing has been live in {live_dir} yet.", live_dir=live_dir)
    columns = [_("When"), _("What"), _("Live"), "precision@k", _("Before"), _("Who")]
    return Listing(columns, rows, _("What was live in {live_dir}", live_dir=live_dir))


def _bars(counts: Mapping[str, int]) -> list[list[str]]:
    """Name, number and a bar of it for each."""
    most = max(counts.values())
    return [[name, number(count), "█" * round(_BAR_WIDTH * count / most)] for name, count in counts.items()]


def _when(entry: Mapping[str, Any]) -> str:
    return _("damaged") if "damaged" in entry else entry["created"][:16].replace("T", " ")


def _unfinished(listed: Mapping[str, Any]) -> list[str]:
    group = "data" if "data" in listed else "models"
    return [
        _(
            "Unfinished: {name}. The same command resumes it. To delete it:\n{remove}",
            name=name,
            remove=Command(group, "remove", name),
        )
        for name in listed["unfinished"]
    ]
