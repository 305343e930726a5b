"""_reviews/decisions.csv: what people decided about suspected tags, by document, tag and text; it only grows."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from get_tags_train.core.arrow import list_column, list_rows
from get_tags_train.core.csv import Row, write_csv
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import locked
from get_tags_train.core.home import decisions_path, locks_dir
from get_tags_train.core.i18n import _
from get_tags_train.core.tables import read_columns

Suspicion = Literal["missing", "wrong"]
Answer = Literal["error", "no error", "don't know"]
SUSPICIONS: tuple[Suspicion, ...] = ("missing", "wrong")
ANSWERS: tuple[Answer, ...] = ("error", "no error", "don't know")
_COLUMNS = ("id", "tag", "suspicion", "answer", "probability", "estimate", "text_hash", "decided", "file")
_LOCK_SECONDS = 60.0


class Key(NamedTuple):
    """What is decided once: a tag of a document, as long as its text stays the same (text_hash is in hexadecimal)."""

    document_id: str
    tag: str
    text_hash: str


class Decision(NamedTuple):
    """One answer.

    probability: that it is an error, as it was foreseen; estimate: its logit before any answers were known.
    """

    document_id: str
    tag: str
    suspicion: Suspicion
    answer: Answer
    probability: float
    estimate: float
    text_hash: str
    decided: str
    file: str

    @property
    def key(self) -> Key:
        """What it is about."""
        return Key(self.document_id, self.tag, self.text_hash)


def read_decisions(home: Path) -> list[Decision]:
    """All that was decided, oldest first. Raises InputError naming the line that cannot be read."""
    path = decisions_path(home)
    return [_parsed(path, row) for row in read_columns(path, _COLUMNS)] if path.exists() else []


def append_decisions(home: Path, decisions: Sequence[Decision]) -> None:
    """Add decisions; what stands in the file stays."""
    busy = GetTagsError(_("Another run is writing decisions."), _("Try again in a moment."))
    with _locked(home, busy):
        before = read_decisions(home)
        rows = [[*d[:4], f"{d.probability:.4f}", f"{d.estimate:.4f}", *d[6:]] for d in [*before, *decisions]]
        write_csv(decisions_path(home), [_COLUMNS, *rows])


def latest(decisions: Iterable[Decision]) -> dict[Key, Decision]:
    """The last decision about each document and tag."""
    return {decision.key: decision for decision in decisions}


def _locked(home: Path, busy: GetTagsError) -> AbstractContextManager[None]:
    return locked(locks_dir(home) / "decisions.lock", lambda: busy, timeout_seconds=_LOCK_SECONDS)


def _parsed(path: Path, row: Row) -> Decision:
    document_id, tag, suspicion, answer, probability, estimate, *rest = row.cells
    try:
        return Decision(
            document_id,
            tag,
            SUSPICIONS[SUSPICIONS.index(suspicion)],
            ANSWERS[ANSWERS.index(answer)],
            float(probability),
            float(estimate),
            *rest,
        )
    except ValueError:
        raise InputError(
            _("{path}, line {line}: this is not a decision.", path=path, line=row.line),
            _("Correct that line, or remove it: it is a file that get-tags writes."),
        ) from None


@dataclass(frozen=True)
class Overlay:
    """Decisions as changes of documents' tags, until the database has them.

    changes: by document id, the text's hash and, for each tag by its number, whether the document has it.
    """

    changes: Mapping[str, Mapping[bytes, Mapping[int, bool]]]

    @classmethod
    def of(cls, decisions: Iterable[Decision], tags: Sequence[str]) -> "Overlay":
        """Those that found an error in one of these tags."""
        number = {tag: place for place, tag in enumerate(tags)}
        changes: dict[str, dict[bytes, dict[int, bool]]] = defaultdict(lambda: defaultdict(dict))
        for key, decision in latest(decisions).items():
            if decision.answer == "error" and key.tag in number:
                of_text = changes[key.document_id][bytes.fromhex(key.text_hash)]
                of_text[number[key.tag]] = decision.suspicion == "missing"
        return cls(changes)

    @property
    def digest(self) -> str:
        """The same for the same changes."""
        listed = [
            (own, text_hash.hex(), sorted(tags.items()))
            for own, texts in sorted(self.changes.items())
            for text_hash, tags in sorted(texts.items())
        ]
        return sha256(repr(listed).encode()).hexdigest()

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The documents with their tags as decided; one whose text has changed stays as it is."""
        ids = batch.column("id").cast(pa.string())
        met = pc.is_in(ids, pa.array(list(self.changes), pa.string()))
        if not pc.any(met).as_py():
            return batch
        rows = list_rows(batch.column("tags"))
        for row in np.flatnonzero(met.to_numpy(zero_copy_only=False)).tolist():
            texts = self.changes[ids[row].as_py()]
            own = set(rows[row].tolist())
            for tag, has in texts.get(batch.column("text_hash")[row].as_py(), {}).items():
                (own.add if has else own.discard)(tag)
            rows[row] = np.array(sorted(own), np.int32)
        return batch.set_column(batch.schema.get_field_index("tags"), batch.schema.field("tags"), list_column(rows))
