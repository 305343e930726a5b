"""What a long run needs, checked before it starts."""

import shutil
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Literal, NamedTuple

import pyarrow as pa
import torch

from get_tags_train.base_model import check_base_model
from get_tags_train.database import describe_url, open_engine, translated
from get_tags_train.device import choose_device, choose_precision, gpu_users
from get_tags_train.errors import GetTagsError
from get_tags_train.folders import write_text
from get_tags_train.retention import dispensable
from get_tags_train.samples import FEW, Samples
from get_tags_train.settings import Settings
from get_tags_train.source import DocumentId, DocumentSource
from get_tags_train.tokens import load_tokenizer

_LOW_DISK_BYTES = 10 * 2**30
_SHOWN_DOCUMENTS = 3
_SHOWN_OLD = 5
_TIMED_PAGES = 3
# An index finds rows nearly as fast as they are read in passing; without one, each page reads the whole table.
_SLOW_LOOKUP = 10
_SLOW_SECONDS = 60.0


class Check(NamedTuple):
    """One thing that was looked at; `hint` says what to do where it is not ok."""

    name: str
    status: Literal["ok", "warning", "error"]
    message: str
    hint: str = ""


def examine(settings: Settings) -> Iterator[Check]:
    """Check everything, one result at a time; a check that fails does not stop the others."""
    checks: list[tuple[str, Callable[[Settings], Check]]] = [
        ("home", _home),
        ("disk", _disk),
        ("old files", _old_files),
        ("database", _database),
        ("base model", _base_model),
        ("device", _device),
        ("test samples", _samples),
    ]
    for name, check in checks:
        try:
            yield check(settings)
        except GetTagsError as error:
            yield Check(name, "error", error.message, error.hint)
        except OSError as error:
            yield Check(name, "error", f"{error.filename}: {error.strerror}", "Check the folder and its rights.")


def _home(settings: Settings) -> Check:
    probe = settings.home / "_logs" / "doctor.probe"
    try:
        write_text(probe, "")
        probe.unlink()
    except OSError as error:
        hint = "Check its rights, or choose another with --home or GET_TAGS_HOME."
        return Check("home", "error", f"{settings.home} cannot be written: {error.strerror}.", hint)
    return Check("home", "ok", str(settings.home))


def _disk(settings: Settings) -> Check:
    existing = next(folder for folder in [settings.home, *settings.home.parents] if folder.is_dir())
    free = shutil.disk_usage(existing).free
    message = f"{free / 2**30:,.0f} GB free"
    if free < _LOW_DISK_BYTES:
        hint = "Remove old data and models: get-tags data, get-tags models."
        return Check("disk", "warning", f"{message}; 170,000 documents and their training want about 10 GB.", hint)
    return Check("disk", "ok", message)


def _old_files(settings: Settings) -> Check:
    found = dispensable(settings.home, settings.live_dir)
    if not found:
        return Check("old files", "ok", "Nothing that could go.")
    shown = "; ".join(f"{one.folder.name} ({_size(one.bytes)})" for one in found[:_SHOWN_OLD])
    more = f" and {len(found) - _SHOWN_OLD} more" if len(found) > _SHOWN_OLD else ""
    left = [one for one in found if one.is_unfinished]
    never = f" {len(left)} of them were never finished: the command that began them continues them." if left else ""
    message = f"{_size(sum(one.bytes for one in found))} could go: {shown}{more}.{never}"
    return Check("old files", "ok", message, f"{found[0].command}, and so on; or how many stay, under [keep].")


def _size(count: int) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _database(settings: Settings) -> Check:
    engine = open_engine(settings)
    database = settings.database
    with translated(settings):
        source = DocumentSource(engine, database.documents_query, database.tags_query)
        started = perf_counter()
        listed = source.read_ids()
        listing_seconds = perf_counter() - started
        shown = _samples_of(source)
        seconds, slow = _time_reading(source, listed.ids, database.page_size)
    engine.dispose()
    seconds += listing_seconds
    message = (
        f"{describe_url(database.url)} answers, {len(listed.ids):,} documents, {listed.repeated:,} repeated ids and "
        f"{listed.nulls:,} NULL; reading them all takes about {_duration(seconds)}. For example {'; '.join(shown)}"
    )
    if slow and seconds >= _SLOW_SECONDS:
        hint = f"Have the document ids of {' and '.join(slow)} indexed; a view needs the index on its tables."
        slowest = ", ".join(f"{key} {times:.0f} times" for key, times in slow.items())
        return Check("database", "warning", f"{message}. Finding rows by id is slow: {slowest} a plain read.", hint)
    if all(line.endswith("[]") for line in shown):
        hint = "Check tags_query under [database]."
        return Check("database", "warning", f"{message}; none of these has a tag.", hint)
    return Check("database", "ok", message)


def _samples_of(source: DocumentSource) -> list[str]:
    """The first few documents, shortened, with their tags."""
    shown = []
    for document in source.first(_SHOWN_DOCUMENTS):
        text = " ".join((document.title or document.text or "").split())
        shown.append(f"{document.id}: {text[:40]!r} {[tag[:40] for tag in document.tags[:3]]}")
    return shown


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
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _base_model(settings: Settings) -> Check:
    load_tokenizer(settings.base_model)
    check_base_model(settings.base_model, settings.training.context_length)
    return Check("base model", "ok", settings.base_model)


def _device(settings: Settings) -> Check:
    device = choose_device(settings.training.device)
    precision = choose_precision(settings.training.precision, device)
    if device == "cpu":
        hint = "Training 170,000 documents without a GPU takes days."
        return Check("device", "warning", f"The processor, {torch.get_num_threads()} threads, {precision}.", hint)
    memory = torch.cuda.get_device_properties(0).total_memory / 2**30
    message = f"{torch.cuda.get_device_name()}, {memory:.0f} GB, {precision}"
    if users := gpu_users():
        hint = "Training has less memory then; stop what need not run meanwhile, the API for one."
        return Check("device", "warning", f"{message}; its memory is also used by {', '.join(users)}", hint)
    return Check("device", "ok", message)


def _samples(settings: Settings) -> Check:
    samples = Samples.read(settings.samples_path)
    message = f"{len(samples.texts)} examples in {samples.path}"
    if len(samples.texts) < FEW:
        hint = f"Extend them to at least {FEW}: get-tags samples add --count {FEW - len(samples.texts)}."
        return Check("test samples", "warning", f"{message}: too few to tell two models apart.", hint)
    return Check("test samples", "ok", message)
