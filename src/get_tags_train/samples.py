"""The test samples: texts with their true tags, never part of training; and where each of them came from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from get_tags_train.csvfiles import read_columns, read_samples, write_csv
from get_tags_train.dataset import file_sha256
from get_tags_train.text import clean_text, text_hash

FEW = 100
# Of those that get-tags added: the random part, which stands for all documents, and the part chosen for its rare tags.
Part = Literal["random", "rare"]
_ORIGIN_COLUMNS = ("text_hash", "id", "part", "since")


class Origin(NamedTuple):
    """Where an example came from: the id of the document that it was, in which part, since when (ISO date)."""

    document_id: str
    part: str
    since: str


@dataclass(frozen=True)
class Samples:
    """Clean texts, and as they stand in the file, with normalised true tags; `sha256` is the file's.

    `lines` are those of the file, `origins` None for an example that people wrote themselves.
    """

    path: Path
    sha256: str
    texts: list[str]
    labels: list[list[str]]
    raw_texts: list[str]
    lines: list[int]
    origins: list[Origin | None]

    @classmethod
    def read(cls, path: Path, tags_map: Mapping[str, str] | None = None) -> "Samples":
        """Read the file, its labels renamed as the documents' tags are (an empty name drops one).

        Raises InputError where it is absent, empty or unreadable.
        """
        rows = read_samples(path)
        renamed = [[(tags_map or {}).get(label, label) for label in labels] for _, _, labels in rows]
        texts = [clean_text(text) for _, text, _ in rows]
        origins = read_origins(path)
        return cls(
            path=path,
            sha256=file_sha256(path),
            texts=texts,
            labels=[list(dict.fromkeys(filter(None, labels))) for labels in renamed],
            raw_texts=[text for _, text, _ in rows],
            lines=[line for line, _, _ in rows],
            origins=[origins.get(text_hash(text).hex()) for text in texts],
        )

    def of_part(self, *parts: Part | None) -> "Samples":
        """Only the examples of these parts; None are those that people wrote themselves."""
        own = [origin.part if origin else None for origin in self.origins]
        kept = [n for n, part in enumerate(own) if part in parts]
        return replace(
            self,
            texts=[self.texts[n] for n in kept],
            labels=[self.labels[n] for n in kept],
            raw_texts=[self.raw_texts[n] for n in kept],
            lines=[self.lines[n] for n in kept],
            origins=[self.origins[n] for n in kept],
        )


def origins_path(path: Path) -> Path:
    """The small file beside the test samples that says where each added example came from."""
    return path.with_name(f"{path.stem}_origins.csv")


def read_origins(path: Path) -> dict[str, Origin]:
    """Where the examples of the file `path` that get-tags added came from, by the hash of their clean text.

    Raises InputError where the small file is there and cannot be read.
    """
    origins = origins_path(path)
    if not origins.exists():
        return {}
    return {cells[0]: Origin(*cells[1:]) for _, cells in read_columns(origins, _ORIGIN_COLUMNS)}


def add_origins(path: Path, added: Iterable[tuple[str, str, Part]]) -> None:
    """Note (clean text, document id, part) of the examples that are being added to the file `path`."""
    today = date.today().isoformat()
    origins = read_origins(path) | {
        text_hash(text).hex(): Origin(document_id, part, today) for text, document_id, part in added
    }
    write_csv(origins_path(path), [_ORIGIN_COLUMNS, *((key, *origin) for key, origin in origins.items())])
