"""What newer documents say of the live model, as people read it."""

from collections.abc import Iterator, Mapping
from typing import Any

from get_tags_train.cli.tables import Line, Listing, facts
from get_tags_train.core.i18n import N_, Command, _, _n, display_name, documents, first_of, format_minutes, number

_SHOWN_TAGS = 10
# Of a document, on average; and how it is written.
_TEXTS = {
    "characters": (N_("Characters of a text"), ",.0f"),
    "unknown_pieces": (N_("Share of unknown tokens"), ".2%"),
    "cut": (N_("Share of texts longer than the model reads"), ".1%"),
}


def drift_lines(drift: Mapping[str, Any]) -> list[Line]:
    """The sentence, what to type, what it rests on, and what else changed."""
    lines: list[Line] = [drift["sentence"]]
    if drift["advice"] == "retrain":
        lines.append(_("To retrain: {train}", train=Command("train")))
    if not drift["documents"]:
        return [*lines, _read(drift)] if drift["newer"]["found"] else lines
    return [*lines, facts("", dict(_entries(drift))), *_tables(drift)]


def _entries(drift: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield _("Live model"), drift["model"]
    yield _("Newer documents"), _read(drift)
    k, new = drift["top_k"], drift["new_tags"]
    precision = drift["precision_at_k"]
    yield f"precision@{k}", _precision(precision, drift["held_out"])
    if lost := precision["less_than_expected"]:
        yield _("Less than its scores promise"), f"{number(lost['value'], '+.3f')} ({_between(lost)})"
    named = first_of([f"{tag} ({number(count)})" for tag, count in new["documents"].items()], shown=_SHOWN_TAGS)
    if named:
        yield _("Tags that the model does not know"), _("on {share:.1%}: {named}", share=new["any_share"], named=named)
    if not _changed_texts(drift):
        yield _("The texts"), _("as long and as readable for the model as before")
    seconds = drift["retraining_seconds"]
    yield _("A retraining takes about"), format_minutes(seconds) if seconds else _("no earlier run tells")


def _precision(precision: Mapping[str, Any], held_out: int) -> str:
    """On newer documents, on held-out ones where these are enough, and the difference."""
    now, before, difference = (precision[name] for name in ("newer", "held_out", "difference"))
    said = number(now["value"], ".3f")
    if before:
        said += "; " + _n(
            "{before:.3f} on {count:,} held-out document",
            "{before:.3f} on {count:,} held-out documents",
            held_out,
            before=before["value"],
        )
    if difference:
        said += "; " + _("the difference is {between}", between=_between(difference))
    return said


def _between(difference: Mapping[str, Any]) -> str:
    low, high = difference["interval"]
    return _("between {low:+.3f} and {high:+.3f}", low=low, high=high)


def _read(drift: Mapping[str, Any]) -> str:
    """How many there are, since when, how many were read, and what became of them."""
    newer = drift["newer"]
    if newer["problem"]:
        return str(newer["problem"])
    said = {
        "date": _("{found} since {since}", found=documents(newer["found"]), since=newer["since"]),
        "highest id": _("{found} with an id above {since}", found=documents(newer["found"]), since=newer["since"]),
        "id": _("{found} that the model's data do not have", found=documents(newer["found"])),
    }[newer["known_by"]]
    if newer["sampled"] < newer["found"]:
        said += "; " + _("read, at random: {sampled:,}", sampled=newer["sampled"])
    left_out = [f"{number(count)} {display_name(reason)}" for reason, count in newer["dropped"].items() if count]
    if copies := drift["near_duplicates"]:
        left_out.append(
            _n(
                "{count:,} near-duplicate of the model's documents",
                "{count:,} near-duplicates of the model's documents",
                copies,
            )
        )
    return said + (" " + _("(left out: {dropped})", dropped=", ".join(left_out)) if left_out else "")


def _tables(drift: Mapping[str, Any]) -> Iterator[Line]:
    """Tags that are wrong now, tags that became more or less frequent, and how the texts changed."""
    before, now = _("Before"), _("Now")
    if wrong := drift["wrong_tags"] and drift["wrong_tags"]["tags"]:
        rows = [[tag, number(was, ".0%"), number(right, ".0%")] for tag, (was, right) in wrong.items()]
        yield Listing([_("Tag"), before, now], rows[:_SHOWN_TAGS], _("Of the predictions of a tag so many are right"))
    if changed := drift["changed_tags"]:
        rows = [[t["tag"], number(t["reference"], ".2%"), number(t["newer"], ".2%")] for t in changed[:_SHOWN_TAGS]]
        title = _n(
            "{count:,} tag became much more or less frequent",
            "{count:,} tags became much more or less frequent",
            len(changed),
        )
        yield Listing([_("Tag"), before, now], rows, title)
    if rows := _changed_texts(drift):
        yield Listing(["", before, now], rows, _("The texts changed, on average"))


def _changed_texts(drift: Mapping[str, Any]) -> list[list[str]]:
    """What of the texts clearly changed: what it is, before and now."""
    rows = []
    for name, (title, form) in _TEXTS.items():
        one = drift["texts"][name]
        low, high = one["interval"]
        if not low <= 0 <= high:
            rows.append([_(title), number(one["before"], form), number(one["now"], form)])
    return rows
