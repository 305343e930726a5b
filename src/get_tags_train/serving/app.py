"""The live model behind HTTP: `get-tags serve`."""

import asyncio
import hmac
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model
from starlette.exceptions import HTTPException

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.events import Notice, OnEvent
from get_tags_train.core.i18n import _
from get_tags_train.core.settings import ServeSettings
from get_tags_train.core.version import __version__
from get_tags_train.model.second_reader import Reason
from get_tags_train.model.tagger import TagScore
from get_tags_train.serving.batcher import QueueFull
from get_tags_train.serving.hot_reload import LiveModel, ModelDescription

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NEEDS_TOKEN = {"/get_tags", "/model"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_SHUTDOWN_SECONDS = 30
_MAX_TOP_N = 1_000
_SEND_UTF_8 = (
    "Encode the body as UTF-8; in PowerShell: -ContentType 'application/json; charset=utf-8' "
    "-Body ([Text.Encoding]::UTF8.GetBytes($json))."
)


class Word(BaseModel):
    """A word or pair of words of the text, and how much it adds to the logit of the tag."""

    word: str
    adds: float


class Document(BaseModel):
    """A training document that has the tag: its id, its title where it has one, and its similarity, from 0 to 1."""

    id: int | str
    title: str
    similarity: float


class Why(BaseModel):
    """The words that carried the tag, most first, and the nearest training documents that have it."""

    words: list[Word]
    documents: list[Document]


class Tag(BaseModel):
    """A tag and its score, from 0 to 1; why it, where that was asked and the model can say."""

    tag: str
    score: float
    why: "Why | None" = None


class Tags(BaseModel):
    """The tags of one text, highest score first; none for a blank text."""

    tags: list[Tag]


class OneAnswer(Tags):
    """The tags of the text, and which model predicted them."""

    model: str


class ManyAnswers(BaseModel):
    """The tags of each text, in order, and which model predicted them."""

    model: str
    results: list[Tags]


class Health(BaseModel):
    """ok: the live model answers. old_model: a newer one is live and could not be loaded; the one before it answers."""

    status: str
    model: str
    problem: str | None


class ErrorText(BaseModel):
    """What is wrong, and what to do."""

    message: str
    hint: str


class ErrorAnswer(BaseModel):
    """Every answer that is no success."""

    error: ErrorText


def serve(live: LiveModel, settings: ServeSettings, on_ready: Callable[[str], None], on_event: OnEvent) -> None:
    """Answer requests until the process is told to end. Raises GetTagsError where the address is not to be had.

    on_ready gets the address once requests can come.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        listening = socket.create_server((settings.host, settings.port), family=family, backlog=1_024)
    except OSError as error:
        raise GetTagsError(
            _(
                "{host}, port {port}, cannot be listened on: {reason}.",
                host=settings.host,
                port=settings.port,
                reason=error.strerror,
            ),
            _("Another program may have it. Choose another: --port, or host and port under [serve]."),
        ) from error
    if settings.host not in _LOOPBACK and not settings.token:
        on_event(
            Notice(
                _("The API is open to anyone who can reach this machine. Set GET_TAGS_SERVE_TOKEN to protect it."),
                "warning",
            )
        )
    config = uvicorn.Config(
        make_app(live, settings),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    host = f"[{settings.host}]" if family == socket.AF_INET6 else settings.host
    on_ready(f"http://{host}:{listening.getsockname()[1]}")
    with live:
        uvicorn.Server(config).run(sockets=[listening])


def make_app(live: LiveModel, settings: ServeSettings) -> App:
    """The API over the model that `live` keeps loaded."""

    app = FastAPI(
        title="get-tags",
        version=__version__,
        description="Tags for texts.",
        max_body_size=settings.max_request_bytes,
    )
    # The guard in front checks the token; this only says so in the description.
    described = [Security(HTTPBearer(auto_error=False))] if settings.token else []
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    question_of_these_limits = _question(settings)

    @app.post(
        "/get_tags",
        dependencies=described,
        responses=_errors(400, 401, 413, 422, 503),
        response_model_exclude_none=True,
    )
    async def get_tags(question: question_of_these_limits) -> OneAnswer | ManyAnswers:  # type: ignore[valid-type]
        """The TOP_N tags with the highest scores, of a text or of each text of a list."""
        text, top_n, why = question.text, question.TOP_N, question.why  # type: ignore[attr-defined]
        try:
            answering = live.batcher.ask([text] if isinstance(text, str) else text, top_n, why=why)
        except QueueFull:
            raise HTTPException(503, "Too many texts are waiting.", {"Retry-After": "1"}) from None
        answer = await asyncio.wrap_future(answering)
        results = [Tags(tags=list(_explained(*own))) for own in zip(answer.tags, answer.reasons, strict=True)]
        if isinstance(text, str):
            return OneAnswer(model=answer.model, tags=results[0].tags)
        return ManyAnswers(model=answer.model, results=results)

    @app.get("/health")
    async def health() -> Health:
        """Whether the live model answers."""
        problem = live.problem
        return Health(status="old_model" if problem else "ok", model=live.batcher.live[0], problem=problem)

    @app.get("/model", dependencies=described, responses=_errors(401))
    async def model() -> ModelDescription:
        """Which model answers, since when, and how good it is."""
        return live.describe()

    return _Guard(app, settings)


def _explained(tags: Sequence[TagScore], reasons: Sequence[Reason]) -> Iterator[Tag]:
    """Each tag with its reason, where there are reasons."""
    for place, (tag, score) in enumerate(tags):
        yield Tag(tag=tag, score=score, why=Why.model_validate(reasons[place].as_json()) if reasons else None)


def _question(settings: ServeSettings) -> type[BaseModel]:
    """What is asked, with the limits of these settings in its description."""
    text = Annotated[str, Field(max_length=settings.max_text_characters), BeforeValidator(_whole_characters)]
    texts = Annotated[list[text], Field(min_length=1, max_length=settings.max_texts)]
    return create_model(
        "Question",
        __config__=ConfigDict(extra="forbid", strict=True),
        __doc__="A text, or a list of texts, and how many tags are wanted for each.",
        text=(text | texts, Field(description="A text, or several.")),
        TOP_N=(Annotated[int, Field(ge=1, le=_MAX_TOP_N), BeforeValidator(_whole_number)], 5),
        why=(bool, Field(False, description="Whether each tag comes with its reasons, if the model has any.")),
    )


def _whole_number(value: Any) -> Any:
    """5.0 is an integer in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole_characters(value: Any) -> Any:
    """JSON may hold half an emoji ("\\ud83d"); cleaning removes it elsewhere, so a request is not refused for it."""
    return value.encode(errors="ignore").decode() if isinstance(value, str) else value


def _errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    described: dict[int | str, dict[str, Any]] = {status: {"model": ErrorAnswer} for status in statuses}
    if 413 in described:  # so says the framework of a body that grows too large on the way
        described[413]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return described


def _error(status: int, message: str, hint: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "hint": hint}}, status, headers)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    """What is wrong with a question, in words; nothing of the text itself."""
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    # A text and a list are two forms of one question: what is said is of the form that was sent.
    other_form: dict[type, str] = {str: "list_type", list: "string_type"}
    first = next((one for one in found if one["type"] != other_form.get(type(one["input"]))), found[0])
    field, *inside = [part for part in first["loc"] if part != "body"] or [""]
    where = ".".join([str(field), *(str(part) for part in inside if isinstance(part, int))])
    return _error(422, f"{where or 'The request'}: {first['msg']}.", 'Send {"text": "...", "TOP_N": 5}; see /docs.')


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if isinstance(error.__cause__, UnicodeDecodeError):
        message = f"The request is not UTF-8: byte {error.__cause__.start + 1} belongs to another encoding."
        return _error(400, message, _SEND_UTF_8)
    hint = "Come back later." if error.status_code == 503 else "See /docs."
    return _error(error.status_code, str(error.detail), hint, error.headers)


class _Guard:
    """Refuses callers without the token, and requests that are too large, before anything of them is read."""

    def __init__(self, app: App, settings: ServeSettings) -> None:
        self._app, self._token, self._max_bytes = app, settings.token.encode(), settings.max_request_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope["path"], dict(scope["headers"]))):
            await refusal(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, path: str, headers: Mapping[bytes, bytes]) -> JSONResponse | None:
        if self._token and path in _NEEDS_TOKEN:
            scheme, _space, given = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
                hint = "Send the header 'Authorization: Bearer TOKEN'."
                return _error(401, "The token is missing or wrong.", hint, {"WWW-Authenticate": "Bearer"})
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._max_bytes:
            message = f"The request is larger than {self._max_bytes:,} bytes."
            return _error(413, message, "Send fewer or shorter texts.", {"Connection": "close"})
        return None
