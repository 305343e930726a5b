"""The names and places in a home folder."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from get_tags_train.core.errors import InputError
from get_tags_train.core.files import read_bytes, read_json
from get_tags_train.core.i18n import Command, _

PARTIAL = ".partial"
REMOVING = ".removing"  # what is being removed, or was when somebody pulled the plug: nothing reads it any more
CURRENT = "current"  # the file that names what is live
_LONGEST_NAME = 256  # bytes that a file system takes, and one more
_VERSION = re.compile(r"tags_v(\d+)")


def check_path(path: Path) -> None:
    """Raise InputError where a path is no Unicode: what reads models cannot open it, and no log or JSON can name it."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(
            _("This path is not UTF-8: {path}.", path=os.fsencode(path).decode(errors="backslashreplace")),
            _("Rename the file or the folder, or choose another (--home and GET_TAGS_HOME name the home)."),
        ) from None


def data_dir(home: Path) -> Path:
    """Where prepared data lie."""
    return home / "_cache" / "_data"


def models_dir(home: Path) -> Path:
    """Where trained models lie."""
    return home / "_models"


def bases_dir(home: Path) -> Path:
    """Where base models are tried; a home of its own, whose models go when they have been scored."""
    return home / "_bases"


def reviews_dir(home: Path) -> Path:
    """Where lie the documents and lists that people decide by."""
    return home / "_reviews"


def logs_dir(home: Path) -> Path:
    """Where each run leaves its log."""
    return home / "_logs"


def locks_dir(home: Path) -> Path:
    """Where running jobs hold their operating-system locks."""
    return home / "_cache" / "_locks"


def last_source_path(home: Path) -> Path:
    """What the wizard was answered last."""
    return home / "_cache" / "last_source.json"


def held_out_path(home: Path) -> Path:
    """The list of documents that are never trained on."""
    return home / "held_out.csv"


def data_names(home: Path) -> list[str]:
    """Complete tags_vX, newest first: the folders with a manifest."""
    found = [p.parent.name for p in data_dir(home).glob("tags_v*/manifest.json")]
    complete = [n for n in found if not n.endswith(PARTIAL) and _VERSION.fullmatch(n)]
    return sorted(complete, key=version_number, reverse=True)


def model_names(home: Path) -> list[str]:
    """Complete models under _models, newest first by when they were made, whatever they were renamed to."""
    found = [p for p in models_dir(home).glob("*/get_tags.json") if not p.parent.name.endswith((PARTIAL, REMOVING))]
    return [p.parent.name for p in sorted(found, key=lambda p: (_created(p), p.parent.name), reverse=True)]


def unfinished(folder: Path) -> Iterator[Path]:
    """Runs in `folder` that have not finished, newest first."""
    found = [p for p in folder.glob(f"tags_v*{PARTIAL}") if _VERSION.match(p.name) and p.is_dir()]
    return iter(sorted(found, key=lambda p: p.stat().st_mtime, reverse=True))


def version_number(name: str) -> int:
    """The N of a name that begins with tags_vN; 0 for any other."""
    match = _VERSION.match(name)
    return int(match[1]) if match else 0


def next_data_name(home: Path) -> str:
    """tags_v(N+1), N the highest of any name there, whoever made it."""
    folder = data_dir(home)
    highest = max((version_number(p.name) for p in folder.iterdir()), default=0) if folder.is_dir() else 0
    return f"tags_v{highest + 1}"


def _created(facts_path: Path) -> str:
    """When a model was made, as ISO text; '' where its facts cannot be read."""
    try:
        return str(read_json(facts_path)["created"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def find_data(home: Path, name: str | None) -> Path:
    """The folder of prepared data called `name` (None: the newest). Raises InputError."""
    names = data_names(home)
    if not names:
        raise InputError(
            _("There are no prepared data in {data_dir}.", data_dir=data_dir(home)),
            _("Extract some first: {extract}", extract=Command("extract")),
        )
    if name is None:
        name = names[0]
    if name not in names:
        raise InputError(
            _("There are no prepared data called {name} in {data_dir}.", name=name, data_dir=data_dir(home)),
            _("There are: {names}.", names=", ".join(names)),
        )
    return data_dir(home) / name


def find_model(home: Path, live_dir: Path, model: str | None) -> Path:
    """The folder that MODEL means: a name under _models, a folder, `live`; None is the newest.

    Raises InputError where there is none.
    """
    if model == "live":
        return live_model(live_dir)
    names = model_names(home)
    if model is None:
        if not names:
            raise InputError(
                _("There is no model in {models_dir}.", models_dir=models_dir(home)),
                _("Train one first: {train}", train=Command("train")),
            )
        model = names[0]
    folder = models_dir(home) / model if model in names else Path(model).expanduser().absolute()
    if folder.is_dir():
        check_path(folder)
        return folder
    known = (
        _("There are: {names}.", names=", ".join(names))
        if names
        else _("There is none yet. To train one: {train}", train=Command("train"))
    )
    raise InputError(
        _(
            "There is no model {model}, by name in {models_dir} or as a folder.",
            model=model,
            models_dir=models_dir(home),
        ),
        known,
    )


def live_name(live_dir: Path) -> str:
    """What _live/current says, whether a version has that name or not; empty where nothing is live."""
    try:
        return read_bytes(live_dir / CURRENT, _LONGEST_NAME).decode("utf-8-sig", "replace").strip()
    except FileNotFoundError:
        return ""


def is_folder_name(name: str) -> bool:
    """Whether it names something in a folder, and nothing outside it."""
    fits = "\0" not in name and len(name.encode("utf-8", "surrogatepass")) < _LONGEST_NAME
    return fits and name not in {"", ".", ".."} and Path(name).name == name


def live_model(live_dir: Path) -> Path:
    """The folder of the live model, read through _live/current. Raises InputError where nothing is live."""
    name = live_name(live_dir)
    if not name and not (live_dir / CURRENT).exists():
        raise InputError(
            _("No model is live in {live_dir}.", live_dir=live_dir),
            _("To deploy one: {deploy}", deploy=Command("deploy")),
        )
    folder = live_dir / "versions" / name
    if not is_folder_name(name) or not folder.is_dir():
        raise InputError(
            _(
                "{live_dir} names '{name}', which is not in {versions}.",
                live_dir=live_dir / CURRENT,
                name=name,
                versions=live_dir / "versions",
            ),
            _("To deploy a model again: {deploy}", deploy=Command("deploy")),
        )
    return folder
