"""The settings: type, limits and a sentence for each."""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator
from pydantic_core import PydanticCustomError

from get_tags_train.core.i18n import _, validation_message

SourceKind = Literal["database", "ids", "cached"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _check_unicode(cls, value: Any) -> Any:
        """Refuse the bytes of a variable that are not UTF-8: they would fail later, where settings are written."""
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise PydanticCustomError("string_unicode", "it is not UTF-8") from None
        return value


class DatabaseSettings(_Section):
    """Where the documents are and how they are asked for."""

    url: str = Field(
        repr=False,
        description="Where the documents are: any SQLAlchemy URL, for SQL Server mssql+pyodbc://...; "
        "a relative SQLite path lies in the home.",
    )
    password: str = Field(
        repr=False,
        description="The password, if it is not in the URL; better given as GET_TAGS_DATABASE_PASSWORD "
        "or kept in the system keyring.",
    )
    documents_query: str = Field(
        description="One SELECT that returns the columns id and text and, if you have them, title, date and "
        "version, which changes whenever the title or text does."
    )
    tags_query: str = Field(
        description="One SELECT that returns the columns id (of the document) and tag, a row for each pair, and, "
        "if you have them, tag_id, which tells a renamed tag from a new one, and active, for pairs "
        "that can be switched off; empty if documents_query has a column tags (a;b or a list)."
    )
    page_size: int = Field(ge=1, le=1000, description="How many documents one query fetches (1 to 1000).")
    timeout_seconds: int = Field(
        ge=1, le=86_400, description="How long one query may take before the server ends it (1 to 86400 seconds)."
    )
    retry_seconds: int = Field(
        ge=0,
        description="How long a lost connection, a deadlock or a timeout is retried before the run stops (0: not at "
        "all).",
    )
    snapshot_isolation: bool = Field(
        description="Whether SQL Server reads each page as of one moment without waiting for writers; the database "
        "must allow it."
    )
    boilerplate_copies: int = Field(
        ge=0,
        description="A text that at least this many documents share while their tags differ is boilerplate: "
        "all of them are left out (0: their tags are united instead).",
    )


class DataSettings(_Section):
    """What is done with prepared data before they are trained on."""

    decisions: bool = Field(
        description="Whether trainings use the tags that people decided on in audits, where the database has not taken "
        "them over yet."
    )


class TrainingSettings(_Section):
    """How the model is fine-tuned."""

    base_model: str = Field(
        min_length=1,
        description="The BERT to fine-tune: a name on the Hugging Face hub, or a folder "
        "(a relative one lies in the home).",
    )
    epochs: int = Field(ge=1, le=1000, description="How many times training goes through all documents.")
    batch_size: Annotated[int, Field(ge=1, le=4096)] | Literal["auto"] = Field(
        description='Documents per optimizer step, or "auto": the smallest that is about as fast as this machine gets.'
    )
    context_length: int = Field(
        ge=8,
        le=512,
        description="Tokens per document that the model reads, special ones included; longer documents "
        "are cut (8 to 512).",
    )
    seed: int = Field(
        ge=0,
        lt=2**32,
        description="The random seed: it fixes the order of documents, dropout, and the first weights of new layers.",
    )
    learning_rate: float = Field(gt=0, le=1, description="The peak learning rate of the pretrained layers.")
    head_learning_rate: float = Field(
        gt=0,
        le=1,
        description="The peak learning rate of the layers that start untrained (classifier and pooler).",
    )
    warmup_ratio: float = Field(
        ge=0, lt=1, description="The share of all steps in which the learning rate climbs to its peak."
    )
    weight_decay: float = Field(ge=0, le=1, description="How strongly weights decay towards zero.")
    max_grad_norm: float = Field(ge=0, description="Gradients with a larger norm are clipped to it (0: never).")
    loss: Literal["bce", "zlpr"] = Field(
        description="The loss function: bce (binary cross-entropy, tag by tag) or zlpr (ranks true tags above all "
        "others)."
    )
    blend: Literal["auto"] | bool = Field(
        description="Whether a second reader (a linear model over whole texts and the nearest training documents) is "
        "blended with the BERT: auto (where it helps on validation documents), true or false."
    )
    min_tag_count: int = Field(ge=1, description="Tags on fewer documents than this are left out of training.")
    device: Literal["auto", "cpu", "cuda"] = Field(
        description="Where to compute: auto (a GPU if there is one), cpu or cuda."
    )
    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        description="Number format of the matrix products: auto (the fastest that the machine computes in hardware), "
        "bf16, fp16 or fp32."
    )
    deterministic: bool = Field(
        description="Whether a GPU gives the same model, byte for byte, each time, at some cost of speed; a CPU "
        "always does."
    )
    checkpoint_minutes: float = Field(
        ge=0,
        description="Minutes between checkpoints, besides the one after each epoch (0: only those).",
    )
    report_to: Literal["none", "tensorboard", "mlflow"] = Field(
        description="Where else loss and learning rate are tracked: none, tensorboard (its files go to _logs) or "
        "mlflow; the package has to be installed."
    )

    def deciding(self) -> dict[str, Any]:
        """The settings that decide what comes out: an unfinished training with the same ones is continued."""
        return self.model_dump(exclude={"checkpoint_minutes", "report_to"})


class EvaluationSettings(_Section):
    """How a model is scored."""

    top_k: int = Field(ge=1, le=1000, description="The k of precision@k; it changes nothing in the model.")
    samples: str = Field(
        min_length=1,
        description="The test samples: a CSV file with the columns text and labels (a relative path lies in the home).",
    )
    leaks: Literal["leave_out", "warn", "stop"] = Field(
        description="What happens to documents that are also test samples, or nearly: leave_out (of training), warn or "
        "stop."
    )
    held_out: float = Field(
        ge=0,
        le=0.5,
        description="The share of documents held out of training, at most 2,000 of them: half for validation, half "
        "for testing (0: none).",
    )
    baseline: bool = Field(
        description="Whether the model is compared with a linear baseline: its own linear reader, or one that is "
        "trained for it."
    )


class DeploySettings(_Section):
    """Where the live model is."""

    live_dir: str = Field(
        min_length=1,
        description="The folder that holds the live model and the ones before it (a relative path lies in the home).",
    )
    keep_versions: int = Field(
        ge=2,
        description="How many deployed versions are kept for a rollback, the live one included (at least 2).",
    )
    min_precision_at_k: float = Field(
        ge=0,
        le=1,
        description="The least precision@k, for the k of top_k, with which a model goes live unasked (0: any).",
    )
    before_command: str = Field(
        description="What stops the API, run by the system's shell before the plain folder is exchanged; "
        "empty where it need not stop."
    )
    after_command: str = Field(
        description="What starts the API again, run afterwards, also where the exchange failed; empty for nothing."
    )
    read_by: Literal["get-tags", "transformers"] = Field(
        description="What the API reads the live model with: get-tags (the whole model) or transformers (the BERT "
        "alone); its answers are what models are compared by and what check_url is expected to give."
    )
    check_url: str = Field(
        description="Where the API takes a POST of text and TOP_N: after a change the model's probe texts are sent "
        "there, and where the tags are not the model's, the change is undone; empty for no check."
    )
    api_seconds: float = Field(
        gt=0,
        description="How long each of these commands may take, and the API until it answers as the new model "
        "(seconds).",
    )


class KeepSettings(_Section):
    """How much of what earlier runs made stays; what is live or still needed always does."""

    data: int = Field(
        ge=0, description="How many tags_vX stay, the newest; older ones are removed at the end of a run (0: all stay)."
    )
    models: int = Field(
        ge=0,
        description="How many models stay under _models, the newest; older ones are removed at the end of a run "
        "(0: all stay).",
    )


class NotifySettings(_Section):
    """Who hears of it when a run ends or fails."""

    command: str = Field(
        description="What the system's shell runs when a run ends or fails: it gets JSON on standard input, and the "
        "sentence as GET_TAGS_SENTENCE; empty for nothing."
    )
    url: str = Field(
        repr=False,
        description="Where the same JSON is sent by POST, its sentence under the key text; empty for nowhere.",
    )


class ServeSettings(_Section):
    """The API of get-tags serve."""

    host: str = Field(
        min_length=1,
        description="The address it listens on: 127.0.0.1 for this machine alone, 0.0.0.0 for all networks.",
    )
    port: int = Field(ge=0, le=65_535, description="The port it listens on (0: any that is free).")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        description="Number format of serve and predict: fp32 (the scores that other programs get from the model "
        "folder), bf16 (faster where the hardware has it; scores differ in the second or third decimal) or auto (fp32 "
        "on a CPU, the fastest on a GPU)."
    )
    token: str = Field(
        repr=False,
        description="What callers send as 'Authorization: Bearer TOKEN', better given as GET_TAGS_SERVE_TOKEN; "
        "empty: anyone who can reach it may call.",
    )
    max_text_characters: int = Field(ge=1, description="The longest text that a request may hold, in characters.")
    max_request_bytes: int = Field(ge=1, description="The largest request, in bytes.")
    max_texts: int = Field(ge=1, description="How many texts one request may hold.")


class DisplaySettings(_Section):
    """How get-tags speaks."""

    language: Literal["auto", "ro", "en"] = Field(
        description="The language of prompts, messages and reports: auto (the system's), ro or en."
    )


class Sections(_Section):
    """All settings, by the section that they stand in."""

    database: DatabaseSettings
    data: DataSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    deploy: DeploySettings
    keep: KeepSettings
    notify: NotifySettings
    serve: ServeSettings
    display: DisplaySettings


class Source(NamedTuple):
    """Where this run's documents come from; `ids_path` goes with ids, `data_name` with cached.

    reads_all: also the texts whose versions say that they have not changed.
    """

    kind: SourceKind = "database"
    ids_path: Path | None = None
    data_name: str | None = None
    reads_all: bool = False


FROM_DATABASE = Source()


class Settings(Sections):
    """All that one run needs to know."""

    home: Path
    source: Source = FROM_DATABASE
    retired: tuple[str, ...] = ()
    """What is set, and where, that is no setting any more."""

    def path(self, value: str) -> Path:
        """The path that a setting means: a relative one lies in the home."""
        return self.home / Path(value).expanduser()

    @property
    def samples_path(self) -> Path:
        """The test samples."""
        return self.path(self.evaluation.samples)

    @property
    def tags_map_path(self) -> Path:
        """Which tags are merged, renamed or dropped; the file need not exist."""
        return self.home / "tags_map.csv"

    @property
    def live_dir(self) -> Path:
        """The folder that holds the live model."""
        return self.path(self.deploy.live_dir)

    @property
    def base_model(self) -> str:
        """The base model's folder where there is one, else its name on the hub."""
        folder = self.path(self.training.base_model)
        return str(folder) if folder.is_dir() else self.training.base_model


def describe(section: str, key: str) -> str:
    """The one-sentence description of a setting ('' where it is not known)."""
    model = Sections.model_fields.get(section)
    field = model.annotation.model_fields.get(key) if model and model.annotation else None
    return _(field.description) if field and field.description else ""


def problem(section: str, key: str, value: Any) -> str:
    """Why a value cannot be this setting; '' where it can."""
    model = Sections.model_fields[section].annotation
    assert model is not None
    field = model.model_fields[key]
    try:
        adapter: TypeAdapter[Any] = TypeAdapter(Annotated[field.annotation, field])  # type: ignore[arg-type]
        adapter.validate_python(value, strict=True)
    except ValidationError as error:
        return validation_message(error.errors()[0])
    return ""
