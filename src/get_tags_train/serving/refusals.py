"""What the API answers where it cannot answer: errors in words, in the language of whoever asks."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from get_tags_train.core.i18n import N_, validation_message
from get_tags_train.serving.languages import TRANSLATORS, Translate, preferred_language

_SAID = {
    404: N_("There is no such address."),
    405: N_("This address does not support this method."),
    503: N_("Too many texts are waiting."),
}


class ErrorText(BaseModel):
    """What is wrong, and what to do."""

    message: str
    hint: str


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: ErrorText


def refusal(status: int, message: str, hint: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An answer that says what is wrong and what to do."""
    return JSONResponse({"error": {"message": message, "hint": hint}}, status, headers)


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """These answers for the API's description."""
    answers: dict[int | str, dict[str, Any]] = {status: {"model": ErrorAnswer} for status in statuses}
    if 413 in answers:  # so says the framework of a body that grows too large on the way
        answers[413]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return answers


def translate_for(request: Request) -> Translate:
    """`_` in the language of whoever asks."""
    return TRANSLATORS[preferred_language(request.headers.get("accept-language", ""))]


async def refuse_invalid(request: Request, error: Exception) -> JSONResponse:
    """What is wrong with a question, in words; nothing of the text itself."""
    assert isinstance(error, RequestValidationError)
    _ = translate_for(request)
    found = error.errors()
    # A text and a list are two forms of one question: what is said is of the form that was sent.
    other_form: dict[type, str] = {str: "list_type", list: "string_type"}
    first = next((one for one in found if one["type"] != other_form.get(type(one["input"]))), found[0])
    # Where JSON ends too early, the place is a byte and no field.
    path = [part for part in first["loc"] if part != "body"] if first["type"] != "json_invalid" else []
    field, *inside = path or [""]
    where = ".".join([str(field), *(str(part) for part in inside if isinstance(part, int))])
    reason = validation_message(first, _)
    message = f"{where}: {reason}." if where else _("The request is invalid: {reason}.", reason=reason)
    return refusal(422, message, _("Send {example}; /docs has more.", example='{"text": "...", "TOP_N": 5}'))


async def refuse(request: Request, error: Exception) -> JSONResponse:
    """What the framework or an address refuses."""
    assert isinstance(error, HTTPException)
    _ = translate_for(request)
    if isinstance(error.__cause__, UnicodeDecodeError):
        byte = error.__cause__.start + 1
        message = _("The request is not UTF-8: byte {byte} belongs to another encoding.", byte=byte)
        hint = _(
            "Encode the body as UTF-8. In PowerShell: {options}.",
            options="-ContentType 'application/json; charset=utf-8' -Body ([Text.Encoding]::UTF8.GetBytes($json))",
        )
        return refusal(400, message, hint)
    said = _SAID.get(error.status_code)
    hint = _("Come back later.") if error.status_code == 503 else _("See /docs.")
    return refusal(error.status_code, _(said) if said else str(error.detail), hint, error.headers)


async def refuse_broken(request: Request, _error: Exception) -> JSONResponse:
    """Our own fault."""
    _ = translate_for(request)
    return refusal(500, _("Internal error."), _("The log of get-tags serve names it."))
