"""get_tags.json: what a model folder says of itself (settings, data, tags, file checksums, evaluations)."""

from pathlib import Path
from typing import Self

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.files import file_sha256, read_json, write_json
from get_tags_train.core.i18n import _, validation_message
from get_tags_train.model.evaluation_record import EvaluationRecord, Record
from get_tags_train.model.judgement_record import JudgementRecord

METADATA_FILE = "get_tags.json"
# How far a probe's score may be from what it was: float32 on another processor adds up in another order.
SCORE_TOLERANCE = 1e-3


class Spread(Record):
    """How many of something a document has."""

    mean: float


class DataStatistics(Record):
    """How tags and lengths of the documents are distributed."""

    tags_by_documents: dict[str, int]
    documents_by_tokens: dict[str, int]
    tags_per_document: Spread
    cut: int
    cut_share: float


class DataSummary(Record):
    """What the prepared data's manifest said, so that the model can say it where the data are gone."""

    created: str
    documents_read: int
    documents_kept: int
    dropped: dict[str, int] = Field(default_factory=dict)
    missing_ids: int = 0
    tags: int = 0
    figures: DataStatistics


class DataRecord(Record):
    """The prepared data that the model was trained on; `checksum` tells them from others of the same name."""

    name: str = ""
    checksum: str = ""
    summary: DataSummary | None = None


class SettingsRecord(Record):
    """The training settings that were used; of those of other versions too, whatever they are called there."""

    base_model: str = ""
    epochs: int = 0
    batch_size: int = 0
    context_length: int = 0
    precision: str = ""


class TagRecord(Record):
    """A tag of the model: its training documents, its ids in the database, and how its scores are read.

    `threshold` is the score from which it counts as predicted; scale and shift calibrated its logits.
    """

    tag: str
    documents: int = 0
    ids: list[int | str] = Field(default_factory=list)
    threshold: float = 0.5
    scale: float = 1.0
    shift: float = 0.0


class EpochRecord(Record):
    """One epoch: mean loss, and precision@1, @2 ... on the validation documents where there are any."""

    loss: float
    precision_at_k: list[float] | None = None


class BlendRecord(Record):
    """The second reader: how much each reader counts, and what it gained on the validation documents.

    precision@1, @2 ... of the BERT alone, and of the blend on documents that its weights were not fitted on.
    """

    bert: float
    linear: float
    nearest: float
    bert_alone: list[float]
    blended: list[float]
    linear_seconds: float = 0.0


class CutCost(Record):
    """What it costs to read no more than the context: the linear reader on validation documents, whole and cut.

    Of the `documents`, `cut` are longer; precision@1, @2 ... on whole texts, and on as much as the BERT reads.
    """

    documents: int
    cut: int
    whole: list[float]
    read: list[float]


class ScoredTag(Record):
    """A tag and its score."""

    tag: str
    score: float


class Probe(Record):
    """A text and the tags with the highest scores that the model gave it when it was made, highest first.

    bert_alone: those of the BERT alone, where the model has a second reader.
    """

    text: str
    tags: list[ScoredTag]
    bert_alone: list[ScoredTag] | None = None

    @property
    def scores(self) -> dict[str, float]:
        """Scores by tag, highest first."""
        return {scored.tag: scored.score for scored in self.tags}

    @property
    def plain_scores(self) -> dict[str, float]:
        """The same of the plain folder, as transformers reads it."""
        return {scored.tag: scored.score for scored in self.bert_alone or self.tags}


class ModelMetadata(Record):
    """All that get_tags.json holds. `files` has the SHA-256 of each; evaluations and judgements are oldest first."""

    format: int = 1
    name: str = ""
    created: str = ""
    version: str = ""
    data: DataRecord = DataRecord()
    base_model: str = ""
    settings: SettingsRecord = SettingsRecord()
    examples: int = 0
    left_out: int = 0
    selecting: int = 0
    tags: list[TagRecord] = Field(default_factory=list)
    device: str = ""
    precision: str = ""
    processes: int = 1
    steps: int = 0
    skipped_steps: int = 0
    epochs: list[EpochRecord] = Field(default_factory=list)
    best_epoch: int = 0
    useful_tokens: float = 0.0
    tokens_per_second: float = 0.0
    tokens_at_once: int = 0
    files: dict[str, str] = Field(default_factory=dict)
    probes: list[Probe] = Field(default_factory=list)
    second_reader: BlendRecord | None = None
    cut_cost: CutCost | None = None
    evaluations: list[EvaluationRecord] = Field(default_factory=list)
    judgements: list[JudgementRecord] = Field(default_factory=list)
    resumed: bool = False
    seconds: float = 0.0

    @model_validator(mode="after")
    def _epochs_are_alike(self) -> Self:
        lengths = {len(epoch.precision_at_k) for epoch in self.epochs if epoch.precision_at_k}
        if len(lengths) > 1:
            raise PydanticCustomError("epochs", "the epochs have different numbers of precision@k")
        return self

    @property
    def evaluation(self) -> EvaluationRecord | None:
        """The newest one; None for a model that was never evaluated."""
        return self.evaluations[-1] if self.evaluations else None

    def with_evaluation(self, evaluation: EvaluationRecord) -> Self:
        """The same with one more evaluation; the earlier ones without what is long."""
        earlier = [entry.shortened() for entry in self.evaluations]
        return self.model_copy(update={"evaluations": [*earlier, evaluation]})

    def with_judgement(self, judgement: JudgementRecord) -> Self:
        """The same with what people found; another import of the same sheet takes the place of the first."""
        others = [one for one in self.judgements if one.sheet != judgement.sheet]
        return self.model_copy(update={"judgements": [*others, judgement]})


def read_metadata(folder: Path) -> ModelMetadata | None:
    """The metadata of a model; None for one that get-tags did not make.

    Raises GetTagsError where the file is damaged, naming what is wrong in it.
    """
    path = folder / METADATA_FILE
    try:
        return ModelMetadata.model_validate(read_json(path))
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        reason = ": ".join(filter(None, [place, validation_message(first)]))
        raise GetTagsError(
            _("{path} holds no metadata of a model: {reason}.", path=path, reason=reason),
            _("The model folder is damaged: copy it anew."),
        ) from error
    except (OSError, ValueError) as error:
        raise GetTagsError(
            _("{folder} cannot be read: {error}.", folder=path, error=error),
            _("The model folder is damaged: copy it anew."),
        ) from error


def write_metadata(folder: Path, metadata: ModelMetadata) -> None:
    """Write it into the model's folder, whole or not at all."""
    write_json(folder / METADATA_FILE, metadata.as_json())


def file_checksums(folder: Path) -> dict[str, str]:
    """SHA-256 of the model's files when it was made, which tell it from any other; {} where nobody wrote them down."""
    metadata = read_metadata(folder)
    return metadata.files if metadata else {}


def own_metadata(folder: Path) -> ModelMetadata:
    """The metadata of a model that get-tags made. Raises InputError for any other."""
    metadata = read_metadata(folder)
    if metadata is None:
        raise InputError(
            _(
                "{folder} was not made by get-tags: it has no {metadata}, so there is nothing to compare with.",
                folder=folder,
                metadata=METADATA_FILE,
            )
        )
    return metadata


def verify(folder: Path) -> None:
    """Compare the model's files with their checksums. Raises GetTagsError naming the one that differs."""
    for name, sha256 in own_metadata(folder).files.items():
        path = folder / name
        if not path.is_file() or file_sha256(path) != sha256:
            raise GetTagsError(
                _("{path} is missing or has changed since training.", path=path),
                _("Do not deploy this model: train again, or copy the folder again."),
            )
