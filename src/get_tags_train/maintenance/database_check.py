"""Whether the database answers, its queries fit together, and finding rows by id is fast."""

from time import perf_counter

import pyarrow as pa

from get_tags_train.core.i18n import _, _n, documents, ignored_ids
from get_tags_train.core.settings import Settings
from get_tags_train.data.database import describe_url, open_engine
from get_tags_train.data.database_errors import as_user_errors
from get_tags_train.data.ids import DocumentId
from get_tags_train.data.source import DocumentSource, TagCoverage
from get_tags_train.data.survey import example_lines
from get_tags_train.maintenance.check import Check

_TIMED_PAGES = 3
# An index finds rows nearly as fast as they are read in passing; without one, each page reads the whole table.
_SLOW_LOOKUP = 10
_SLOW_SECONDS = 60.0


def check_database(settings: Settings) -> Check:
    """Read all ids, count the tagged documents, and time how a few pages are found."""
    engine = open_engine(settings.database, settings.home)
    database = settings.database
    with as_user_errors(settings.database):
        source = DocumentSource(engine, database.documents_query, database.tags_query)
        started = perf_counter()
        listed = source.read_ids()
        listing_seconds = perf_counter() - started
        tagged = source.tag_coverage(listed.ids)
        shown = example_lines(source)
        seconds, slow = _time_reading(source, listed.ids, database.page_size)
    engine.dispose()
    seconds += listing_seconds
    message = _(
        "{database} answers: {documents}, read in about {duration}.",
        database=describe_url(database.url),
        documents=documents(len(listed.ids)),
        duration=_duration(seconds),
    )
    if listed.repeated or listed.nulls:
        ignored = _("Ignored ids: {ids}.", ids=ignored_ids(repeated=listed.repeated, nulls=listed.nulls))
        message = f"{message} {ignored}"
    versions = [] if listed.versions is None else [_versions_text(listed.versions)]
    message = "\n".join([message, _tagged_text(tagged), *versions, _("For example:"), *shown])
    if slow and seconds >= _SLOW_SECONDS:
        hint = _(
            "Have the document ids of {slow} indexed; a view needs the index on its tables.", slow=_(" and ").join(slow)
        )
        slowest = ", ".join(_("{key} {times:.0f} times", key=key, times=times) for key, times in slow.items())
        return Check(
            "database",
            "warning",
            _("{message}\nFinding rows by id is slow: {slowest} a plain read.", message=message, slowest=slowest),
            hint,
        )
    if tagged.tagged * 2 < len(listed.ids):
        hint = _("Check tags_query under [database]: its ids should be those of the documents.")
        return Check("database", "warning" if tagged.tagged else "error", message, hint)
    return Check("database", "ok", message)


def _versions_text(versions: pa.Array) -> str:
    said = _("The column version tells what has changed: a second extraction reads no other texts.")
    if not versions.null_count:
        return said
    return f"{said} " + _n(
        "{count:,} document has none, and is read each time.",
        "{count:,} documents have none, and are read each time.",
        versions.null_count,
    )


def _tagged_text(coverage: TagCoverage) -> str:
    said = _(
        "{tagged:,} of these documents have tags, {bare:,} have none.",
        tagged=coverage.tagged,
        bare=coverage.untagged,
    )
    if not coverage.without_document:
        return said
    return f"{said} " + _n(
        "{count:,} id of tags_query belongs to no document.",
        "{count:,} ids of tags_query belong to no document.",
        coverage.without_document,
    )


def check_database_in_short(settings: Settings) -> Check:
    """Whether it answers and the queries fit."""
    engine = open_engine(settings.database, settings.home)
    with as_user_errors(settings.database):
        source = DocumentSource(engine, settings.database.documents_query, settings.database.tags_query)
        shown = example_lines(source)
    engine.dispose()
    answers = _("{database} answers.", database=describe_url(settings.database.url))
    return Check("database", "ok", "\n".join([answers, _("For example:"), *shown]))


def _time_reading(source: DocumentSource, ids: pa.Array, page_size: int) -> tuple[float, dict[str, float]]:
    """Seconds that reading all ids will take, by a few pages; and which queries find ids slowly, how many times so."""
    starts = range(0, len(ids), max(page_size, len(ids) // _TIMED_PAGES))
    timed: list[list[DocumentId]] = [ids.slice(start, page_size).to_pylist() for start in starts][:_TIMED_PAGES]
    lookups = [source.time_lookups(page) for page in timed]
    by_id = {key: sum(lookup[key].by_id for lookup in lookups) for key in lookups[0]}
    by_scan = {key: sum(lookup[key].by_scan for lookup in lookups) for key in lookups[0]}
    slow = {key: by_id[key] / by_scan[key] for key in by_id if by_id[key] > _SLOW_LOOKUP * by_scan[key]}
    return sum(by_id.values()) * len(ids) / sum(map(len, timed)), slow


def _duration(seconds: float) -> str:
    return f"{max(seconds, 1):.0f} s" if seconds < 120 else _n("{count} minute", "{count} minutes", round(seconds / 60))
