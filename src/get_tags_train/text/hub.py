"""The Hugging Face hub, asked once and briefly: where it does not answer, what was downloaded earlier has to do."""

from functools import cache
from pathlib import Path

from huggingface_hub import constants, get_session, is_offline_mode, try_to_load_from_cache
from huggingface_hub.errors import HFValidationError

from get_tags_train.core.i18n import _

_ANSWER_SECONDS = 5.0


@cache
def why_unreachable() -> str:
    """Why the hub cannot be asked for a model; '' where it answers.

    After a hub that does not answer, the libraries of Hugging Face use what was downloaded earlier: they would each try
    again for a minute.
    """
    if is_offline_mode():
        return _("HF_HUB_OFFLINE is set")
    try:
        get_session().head(constants.ENDPOINT, timeout=_ANSWER_SECONDS)
    except Exception as error:  # noqa: BLE001  its HTTP client has errors of its own for each layer
        constants.HF_HUB_OFFLINE = True
        return _("{address} does not answer ({error})", address=constants.ENDPOINT, error=type(error).__name__)
    return ""


def why_not_given(error: Exception) -> str:
    """That a hub which answers does not give a model, by a library's error."""
    name = type(error.__cause__ or error).__name__
    return _("{address} does not give it ({error})", address=constants.ENDPOINT, error=name)


def ask_briefly(base_model: str) -> None:
    """Find out whether the hub answers, before a library asks it for this model; a folder needs no hub."""
    if not Path(base_model).is_dir():
        why_unreachable()


def is_on_this_machine(base_model: str) -> bool:
    """Whether a base model is a folder, or was downloaded from the hub earlier."""
    return Path(base_model).is_dir() or stored_file(base_model, "config.json").is_file()


def stored_file(base_model: str, name: str) -> Path:
    """A file of a base model on this machine, in its folder or as it was downloaded; perhaps it is not there."""
    folder = Path(base_model)
    if folder.is_dir():
        return folder / name
    try:
        found = try_to_load_from_cache(base_model, name)
    except HFValidationError:
        found = None
    return Path(found) if isinstance(found, str) else folder / name
