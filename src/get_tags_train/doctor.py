"""What a long run needs, checked before it starts."""

import shutil
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple

import torch

from get_tags_train.database import describe_url, open_engine, translated
from get_tags_train.device import choose_device, choose_precision
from get_tags_train.errors import GetTagsError
from get_tags_train.folders import write_text
from get_tags_train.samples import FEW, Samples
from get_tags_train.settings import Settings
from get_tags_train.source import DocumentSource
from get_tags_train.tokens import load_tokenizer
from get_tags_train.train import check_base_model

_LOW_DISK_BYTES = 10 * 2**30
_SHOWN_DOCUMENTS = 3


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


def _database(settings: Settings) -> Check:
    engine = open_engine(settings)
    database = settings.database
    with translated(settings):
        source = DocumentSource(engine, database.documents_query, database.tags_query)
        documents = source.first(_SHOWN_DOCUMENTS)
    engine.dispose()
    shown = "; ".join(f"{d.id}: {' '.join((d.title or d.text or '').split())[:40]!r} {d.tags[:3]}" for d in documents)
    message = f"{describe_url(database.url)} answers both queries, for example {shown}"
    if not any(document.tags for document in documents):
        return Check(
            "database", "warning", f"{message}; none of these has a tag.", "Check tags_query under [database]."
        )
    return Check("database", "ok", message)


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
    return Check("device", "ok", f"{torch.cuda.get_device_name()}, {memory:.0f} GB, {precision}")


def _samples(settings: Settings) -> Check:
    samples = Samples.read(settings.samples_path)
    message = f"{len(samples.texts)} examples in {samples.path}"
    if len(samples.texts) < FEW:
        hint = f"Extend them to at least {FEW}, with documents that are not in the database."
        return Check("test samples", "warning", f"{message}: too few to tell two models apart.", hint)
    return Check("test samples", "ok", message)
