"""Where settings come from: defaults < the home's get-tags.toml < --config < GET_TAGS_* variables < flags, answers."""

import os
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from get_tags_train.core.bootstrap import ENV_PREFIX, SITE_FILE
from get_tags_train.core.errors import InputError
from get_tags_train.core.i18n import _, validation_message
from get_tags_train.core.settings import FROM_DATABASE, Sections, Settings, Source, describe

# Variables that carry the prefix without being a setting.
OTHER_VARIABLES = ("GET_TAGS_HOME", "GET_TAGS_REPOSITORY", "GET_TAGS_SENTENCE", "GET_TAGS_TEST_")
# Settings of earlier versions that are constants now: whoever still sets one is told, and goes on.
RETIRED: Mapping[str, frozenset[str]] = {
    "training": frozenset({"attention_dropout"}),
    "serve": frozenset({"max_top_n", "max_waiting_texts"}),
}

_MAX_BYTES = 1 << 20  # of a settings file
_FLAGS = ""  # the origin that no file has
_Layer = tuple[dict[str, Any], str]  # settings by section and key, and where they stand


def defaults_path() -> Path:
    """The shipped defaults: inside the installed package, else in the checkout's configs folder."""
    packaged = Path(__file__).parents[1] / "defaults.toml"
    return packaged if packaged.is_file() else Path(__file__).parents[3] / "configs" / "defaults.toml"


class ShownSetting(NamedTuple):
    """A setting in force, and where it was set: a file, or a variable of the environment."""

    section: str
    key: str
    value: Any
    origin: str


class _Merged(NamedTuple):
    """What all layers say together, by section and key; where each of it stands; and what is no setting any more."""

    values: dict[str, dict[str, Any]]
    origins: dict[tuple[str, ...], str]
    retired: list[str]


def load_settings(
    home: Path,
    *,
    config_path: Path | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    source: Source = FROM_DATABASE,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Merge all layers and check them; `overrides` are the flags and answers, by section and key.

    Raises InputError naming the key and where it was set.
    """
    merged = _merge(_layers(home, config_path, overrides or {}, environ))
    try:
        sections = Sections.model_validate(merged.values)
    except ValidationError as error:
        raise _as_input_error(error.errors()[0], merged.origins) from None
    return Settings.model_construct(
        home=home,
        source=source,
        retired=tuple(merged.retired),
        **{name: getattr(sections, name) for name in Sections.model_fields},
    )


def explain_settings(
    home: Path, config_path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Iterator[ShownSetting]:
    """All settings in force, without flags, and where each was set. Raises InputError as load_settings does."""
    load_settings(home, config_path=config_path, environ=environ)
    merged = _merge(_layers(home, config_path, {}, environ))
    for section, values in merged.values.items():
        for key, value in values.items():
            variable = f"{ENV_PREFIX}{section}_{key}".upper()
            yield ShownSetting(section, key, value, variable if variable in environ else merged.origins[section, key])


def find_problems(
    home: Path, config_path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> list[InputError]:
    """All that is wrong with the settings, not only the first of it."""
    try:
        merged = _merge(_layers(home, config_path, {}, environ))
        Sections.model_validate(merged.values)
    except InputError as error:
        return [error]
    except ValidationError as error:
        by_place = {problem["loc"][:2]: problem for problem in reversed(error.errors())}  # one type of several will do
        return [_as_input_error(problem, merged.origins) for problem in reversed(by_place.values())]
    return []


def _merge(layers: Iterable[_Layer]) -> _Merged:
    merged = _Merged({}, {}, [])
    for layer, origin in layers:
        for section, values in layer.items():
            if not isinstance(values, dict):
                raise InputError(
                    _("'{section}' in {origin} is outside a section.", section=section, origin=origin),
                    _(
                        "Put it under one of {sections}.",
                        sections=", ".join(f"[{s}]" for s in Sections.model_fields),
                    ),
                )
            kept: dict[str, Any] = {key: value for key, value in values.items() if key not in RETIRED.get(section, ())}
            merged.retired.extend(f"[{section}] {key}, {origin}" for key in values if key not in kept)
            merged.origins[section,] = origin
            merged.origins.update({(section, key): origin for key in kept})
            merged.values.setdefault(section, {}).update(kept)
    return merged


def _layers(
    home: Path, config_path: Path | None, overrides: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]
) -> Iterator[_Layer]:
    """All that is set, the later ones over the earlier."""
    yield _read_toml(defaults_path()), _("the shipped defaults")
    site_path = home / SITE_FILE
    if site_path.exists():
        yield _read_toml(site_path), str(site_path)
    if config_path is not None:
        if not config_path.exists():
            raise InputError(
                _("There is no settings file {config_path}.", config_path=config_path),
                _("Check the path of the settings file."),
            )
        yield _read_toml(config_path), str(config_path)
    yield _from_environment(environ), _("the environment")
    yield {section: dict(values) for section, values in overrides.items()}, _FLAGS


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise InputError(
                _("{path} is larger than {bytes:,} bytes.", path=path, bytes=_MAX_BYTES),
                _("Settings are a TOML text file."),
            )
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(
            _("{path} cannot be read: {reason}.", path=path, reason=error.strerror),
            _("Settings are a TOML text file."),
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(_("{path} is not UTF-8 text.", path=path), _("Save it as UTF-8 in your editor.")) from error
    except tomllib.TOMLDecodeError as error:
        hint = _("Put text values in quotes, and Windows paths in 'single quotes'.")
        raise InputError(_("{path} is not valid TOML: {error}.", path=path, error=error), hint) from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    """GET_TAGS_TRAINING_EPOCHS=3 is [training] epochs = 3; a value that is not TOML is taken as text."""
    layer: dict[str, Any] = {}
    for name, text in environ.items():
        if not name.startswith(ENV_PREFIX) or name.startswith(OTHER_VARIABLES):
            continue
        section, _underscore, key = name.removeprefix(ENV_PREFIX).lower().partition("_")
        field = Sections.model_fields.get(section)
        known = field.annotation.model_fields if field and field.annotation else {}
        is_retired = key in RETIRED.get(section, ())
        if key not in known and not is_retired:
            raise InputError(
                _("The environment variable {name} is not a setting of get-tags.", name=name),
                _(
                    "Names are {prefix}SECTION_KEY, for example {prefix}TRAINING_EPOCHS; unset it or correct it.",
                    prefix=ENV_PREFIX,
                ),
            )
        is_text = is_retired or known[key].annotation is str
        layer.setdefault(section, {})[key] = text if is_text else _toml_value(text)
    return layer


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _as_input_error(problem: Mapping[str, Any], origins: Mapping[tuple[str, ...], str]) -> InputError:
    location = tuple(str(part) for part in problem["loc"][:2])  # beyond: which of several types
    origin = origins.get(location, origins.get(location[:1], _("the settings")))
    section, key = location[0], ".".join(location[1:])
    name = f"[{section}] {key}" if key else f"[{section}]"
    if problem["type"] == "extra_forbidden":
        model = Sections.model_fields.get(section)
        known = list(model.annotation.model_fields) if key and model and model.annotation else None
        names = known or [f"[{s}]" for s in Sections.model_fields]
        hint = _("Known there: {names}.", names=", ".join(names))
        return InputError(_("Unknown setting {name} in {origin}.", name=name, origin=origin), hint)
    why = validation_message(problem)
    said = (
        _("--{flag}: {reason}.", flag=key.replace("_", "-"), reason=why)
        if origin == _FLAGS
        else _("Setting {name} in {origin}: {reason}.", name=name, origin=origin, reason=why)
    )
    return InputError(said, describe(section, key))
