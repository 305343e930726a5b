"""The chain's first half: database or ids.csv -> tags_vX, and what people should know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

from get_tags_train.core.errors import InterruptedByUser
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.home import data_dir, next_data_name
from get_tags_train.core.i18n import _, _n, ignored_ids
from get_tags_train.core.settings import Settings
from get_tags_train.core.system import collect_rarely, keep_awake

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from get_tags_train.data.prepared import PreparedData


@dataclass(frozen=True)
class DataResult:
    """The prepared data that a run made or opened; `parts` are the seconds of each part, which ran side by side."""

    name: str
    path: str
    source: str
    documents_read: int
    documents_kept: int
    dropped: dict[str, int]
    missing_ids: int
    tags: int
    checksum: str
    resumed: bool
    seconds: float
    parts: dict[str, float]


@keep_awake("documents are being read")
@collect_rarely()
def extract(settings: Settings, on_event: OnEvent) -> DataResult:
    """Database or ids.csv -> a new tags_vX, or the unfinished one of the same plan continued."""
    from get_tags_train.core.workspace import open_workspace
    from get_tags_train.data.ids import IdList
    from get_tags_train.data.input_files import read_ids
    from get_tags_train.data.open_source import open_source
    from get_tags_train.data.prepared import PreparedData
    from get_tags_train.data.read import Reading, ingest
    from get_tags_train.data.reuse import find_reusable
    from get_tags_train.text.encoder import CleanTextEncoder
    from get_tags_train.text.romanian import romanian_loss
    from get_tags_train.text.tokenizer import load_tokenizer

    started = perf_counter()
    home, ids_path = settings.home, settings.source.ids_path
    listed = read_ids(ids_path) if ids_path else None
    tokenizer = load_tokenizer(settings.base_model)
    if lost := romanian_loss(tokenizer):
        on_event(Notice(lost, "warning"))
    plan = extraction_plan(settings, tokenizer)
    with open_source(settings.database, home, on_event) as source:

        def list_ids() -> tuple[IdList, list[str]]:
            if listed is None:
                return source.read_ids(), []
            found, unusable = source.parse_ids(listed)
            return source.add_versions(found, settings.database.page_size), unusable

        new_name = partial(next_data_name, home)
        with open_workspace(home, data_dir(home), plan, new_name=new_name, on_event=on_event) as workspace:
            if workspace.resumed:
                on_event(
                    Notice(_("Continuing the extraction of {name} where it was interrupted.", name=workspace.name))
                )
            reading = Reading(
                source,
                list_ids,
                settings.database.page_size,
                CleanTextEncoder(tokenizer),
                lambda: find_reusable(home, plan, on_event) if source.tables.has_versions else None,
                scans_tags=listed is None,
                reads_all=settings.source.reads_all,
            )
            try:
                folder = ingest(workspace, reading, on_event)
            except KeyboardInterrupt:
                said = _("The extraction of {name} was interrupted.", name=workspace.name)
                raise InterruptedByUser(said, _("What was read is kept: the same command continues it.")) from None
    data = PreparedData(folder)
    _report_losses(data, on_event)
    if source.tables.has_dates and (undated := data.undated()):
        said = _(
            "{undated:,} of {kept:,} documents have no date that can be read: the rest tell which are the newest.",
            undated=undated,
            kept=data.manifest.documents_kept,
        )
        on_event(Notice(said))
    return describe(data, settings.source.kind, started, resumed=data.manifest.resumed)


def why_not_continued(settings: Settings, plan: Mapping[str, Any]) -> list[str]:
    """What differs between the plan of an unfinished extraction and these settings; nothing: it is continued."""
    from get_tags_train.core.workspace import differences
    from get_tags_train.text.tokenizer import load_tokenizer

    return differences(plan, extraction_plan(settings, load_tokenizer(settings.base_model)))


def extraction_plan(settings: Settings, tokenizer: "PreTrainedTokenizerFast") -> dict[str, Any]:
    """All that decides what an extraction gives: an unfinished one with an equal plan is continued."""
    from get_tags_train.core.files import file_sha256
    from get_tags_train.data.database import describe_url
    from get_tags_train.data.input_files import read_tags_map
    from get_tags_train.data.prepared import FORMAT
    from get_tags_train.text.clean import RULES_VERSION
    from get_tags_train.text.tokenizer import MAX_CONTEXT_LENGTH, fingerprint

    database, ids_path = settings.database, settings.source.ids_path
    return {
        "kind": settings.source.kind,
        "database": describe_url(database.url),
        "documents_query": database.documents_query,
        "tags_query": database.tags_query,
        "ids_sha256": file_sha256(ids_path) if ids_path else None,
        "boilerplate_copies": database.boilerplate_copies,
        "tags_map": sorted(map(list, read_tags_map(settings.tags_map_path).items())),
        "tokenizer": fingerprint(tokenizer),
        "unknown_token_id": tokenizer.unk_token_id,
        "context_length": MAX_CONTEXT_LENGTH,
        "text_rules": RULES_VERSION,
        "format": FORMAT,
        **({"full": True} if settings.source.reads_all else {}),
    }


def describe(data: "PreparedData", source: str, started: float, *, resumed: bool) -> DataResult:
    """What a run says of its prepared data; `started` is when it began on them, by perf_counter."""
    manifest = data.manifest
    return DataResult(
        name=data.name,
        path=str(data.folder),
        source=source,
        documents_read=manifest.documents_read,
        documents_kept=manifest.documents_kept,
        dropped=manifest.dropped,
        missing_ids=manifest.missing_ids,
        tags=manifest.tags,
        checksum=manifest.checksum,
        resumed=resumed,
        seconds=round(perf_counter() - started, 3),
        parts=manifest.seconds,
    )


_Loss = tuple[int, str, Literal["info", "warning"]]
"""How many documents, ids or tags, what is said of them, and how loudly."""


def _report_losses(data: "PreparedData", on_event: OnEvent) -> None:
    """What people should know of the data before they train on it."""
    for count, said, level in [*_left_out(data), *_altered(data)]:
        if count:
            on_event(Notice(said, level))


def _left_out(data: "PreparedData") -> list[_Loss]:
    """What is not in the data, and where it is listed."""
    manifest, dropped, folder = data.manifest, data.manifest.dropped, data.folder
    unread = dropped["undecodable"] + dropped["too_long"]
    return [
        (
            manifest.missing_ids,
            _n(
                "{count:,} id is not in the database; it is listed in {listed}.",
                "{count:,} ids are not in the database; they are listed in {listed}.",
                manifest.missing_ids,
                listed=folder / "missing_ids.csv",
            ),
            "warning",
        ),
        (
            unread,
            _n(
                "{count:,} document cannot be read; it is listed in {listed}.",
                "{count:,} documents cannot be read; they are listed in {listed}.",
                unread,
                listed=folder / "unreadable.csv",
            ),
            "warning",
        ),
        (
            manifest.unreadable_tags,
            _n(
                "The tags of {count:,} document are not a list of tags; it is listed in {listed}.",
                "The tags of {count:,} documents are not a list of tags; they are listed in {listed}.",
                manifest.unreadable_tags,
                listed=folder / "unreadable.csv",
            ),
            "warning",
        ),
        (
            dropped["boilerplate"],
            _n(
                "{count:,} document shares its text with many others under different tags; it is left out, and listed "
                "in {listed}.",
                "{count:,} documents share their text with many others under different tags; they are left out, and "
                "listed in {listed}.",
                dropped["boilerplate"],
                listed=folder / "boilerplate.csv",
            ),
            "warning",
        ),
        (
            manifest.repeated_ids + manifest.null_ids,
            _("Ignored ids: {ids}.", ids=ignored_ids(repeated=manifest.repeated_ids, nulls=manifest.null_ids)),
            "info",
        ),
    ]


def _altered(data: "PreparedData") -> list[_Loss]:
    """What is in the data otherwise than in the database."""
    manifest = data.manifest
    lost_much = manifest.removed.lost_much if manifest.removed else 0
    return [
        (
            lost_much,
            _n(
                "Cleaning removed far more of {count:,} document than of most; it is listed in {listed}.",
                "Cleaning removed far more of {count:,} documents than of most; they are listed in {listed}.",
                lost_much,
                listed=data.folder / "much_removed.csv",
            ),
            "info",
        ),
        (
            len(manifest.respelt_tags),
            _n(
                "{count:,} tag was spelt in several ways and is now one: {some}.",
                "{count:,} tags were spelt in several ways and are now one each: {some}.",
                len(manifest.respelt_tags),
                some="; ".join(" = ".join(spelt) for spelt in list(manifest.respelt_tags.values())[:3]),
            ),
            "info",
        ),
        (
            manifest.conflicting_duplicates,
            _n(
                "{count:,} text appears in several documents with different tags; these tags were united. No model "
                "can get all of these documents right.",
                "{count:,} texts appear in several documents with different tags; these tags were united. No model "
                "can get all of these documents right.",
                manifest.conflicting_duplicates,
            ),
            "info",
        ),
    ]
