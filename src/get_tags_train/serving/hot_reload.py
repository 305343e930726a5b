"""Hot reload: notices a deploy or a rollback, loads that model, and lets it answer once it works."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType

from pydantic import BaseModel

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.home import live_model
from get_tags_train.core.i18n import _
from get_tags_train.model.metadata import read_metadata
from get_tags_train.model.tagger import TagModel
from get_tags_train.serving.batcher import DynamicBatcher

_LOOK_SECONDS = 0.5
_RETRY_SECONDS = 30.0
_WARM_UP = "Contractul se încheie între părți în conformitate cu legea."


class ModelDescription(BaseModel):
    """The model that answers: since when, how it was made, and its last evaluation."""

    name: str
    since: str
    created: str | None
    data: str | None
    base_model: str | None
    context_length: int
    tags: int
    precision_at_k: dict[str, float] | None
    examples: int | None


class LiveModel:
    """The model that is live in a folder; a `with` block watches the folder for another one until it ends."""

    def __init__(self, live_dir: Path, load: Callable[[Path], TagModel], *, on_event: OnEvent) -> None:
        """Load what is live now. Raises GetTagsError where nothing is, or it cannot be loaded."""
        self._live_dir, self._load, self._on_event = live_dir, load, on_event
        self._folder = live_model(live_dir)
        self._identity = _identity(self._folder)
        self._metadata, self._since = read_metadata(self._folder), _now()
        self.batcher = DynamicBatcher(self._folder.name, self._loaded(self._folder))
        # Why what is live now does not answer; None where it does.
        self.problem: str | None = None
        self._failed: tuple[object, float] = None, 0.0
        self._left, self._looking = Event(), Lock()
        self._thread = Thread(target=self._watch, name="hot-reload", daemon=True)

    def __enter__(self) -> "LiveModel":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._left.set()
        self._thread.join()
        self.batcher.close()

    def describe(self) -> ModelDescription:
        """What is known of the model that answers."""
        name, model = self.batcher.live
        metadata = self._metadata
        evaluation = metadata.evaluation if metadata else None
        return ModelDescription(
            name=name,
            since=self._since,
            created=metadata.created if metadata else None,
            data=metadata.data.name if metadata else None,
            base_model=metadata.base_model if metadata else None,
            context_length=model.context_length,
            tags=len(model.tags),
            precision_at_k=evaluation.precision_at_k if evaluation else None,
            examples=evaluation.examples if evaluation else None,
        )

    def look(self) -> None:
        """Load the model that has become live, if another has; where that fails, the old one goes on."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        identity: object = None
        try:
            folder = live_model(self._live_dir)
            identity = _identity(folder)
            if identity == self._identity:
                self.problem = None
                return
            if identity == self._failed[0] and monotonic() < self._failed[1]:
                return
            metadata, model = read_metadata(folder), self._loaded(folder)
        except Exception as error:  # noqa: BLE001  whatever is wrong with the new one, the old one answers
            said = error.message if isinstance(error, GetTagsError) else f"{type(error).__name__}: {error}."
            if self.problem != said:
                self._on_event(
                    Notice(_("{said} The model {name} still answers.", said=said, name=self._folder.name), "warning")
                )
            self.problem, self._failed = said, (identity, monotonic() + _RETRY_SECONDS)
            return
        self.batcher.switch(folder.name, model)
        self._folder, self._identity, self._metadata, self._since = folder, identity, metadata, _now()
        self.problem = None
        self._on_event(Notice(_("{name} answers now.", name=folder.name)))

    def _loaded(self, folder: Path) -> TagModel:
        """The model, after a first computation, which takes longer than those after it."""
        model = self._load(folder)
        model.predict([_WARM_UP], top_n=1)
        return model

    def _watch(self) -> None:
        while not self._left.wait(_LOOK_SECONDS):
            self.look()


def _identity(folder: Path) -> object:
    """What tells a version from another that had its name earlier."""
    config = (folder / "config.json").stat()
    return folder, config.st_ino, config.st_mtime_ns


def _now() -> str:
    return datetime.now().astimezone().isoformat(timespec="seconds")
