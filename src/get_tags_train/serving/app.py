"""The live model behind HTTP: `get-tags serve`."""

import asyncio
import hmac
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

import uvicorn
from fastapi import FastAPI, Request, Security
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from fastapi.security import HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, create_model
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
from get_tags_train.serving.languages import TRANSLATORS, preferred_language
from get_tags_train.serving.monitoring import App, Monitor, Receive, RequestMetrics, Scope, Send
from get_tags_train.serving.pages import Pages
from get_tags_train.serving.refusals import described, refusal, refuse, refuse_broken, refuse_invalid

_NEEDS_TOKEN = {"/get_tags", "/model", "/metrics"}
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_SHUTDOWN_SECONDS = 30
_MAX_TOP_N = 1_000


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


def serve(live: LiveModel, settings: ServeSettings, on_ready: Callable[[str], None], on_event: OnEvent) -> None:
    """Answer requests until the process is told to end. Raises GetTagsError where the address is not to be had.

    on_ready gets the address once requests can come.
    """
    listening = listen(settings.host, settings.port)
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
    host = f"[{settings.host}]" if listening.family == socket.AF_INET6 else settings.host
    on_ready(f"http://{host}:{listening.getsockname()[1]}")
    with live:
        uvicorn.Server(config).run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections. Raises GetTagsError where the address cannot be listened on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=1_024)
    except OSError as error:
        raise GetTagsError(
            _("{host}, port {port}, cannot be listened on: {reason}.", host=host, port=port, reason=error.strerror),
            _("Another program may have it. Choose another: --port, or host and port under [serve]."),
        ) from error
    # Connections inherit it; asyncio sets it on none of these. Without it each answer waits about 40 ms for the
    # client's acknowledgement of its headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def make_app(live: LiveModel, settings: ServeSettings) -> App:
    """The API over the model that `live` keeps loaded, and its pages."""
    app = FastAPI(
        title="get-tags",
        version=__version__,
        description="Tags for texts.",
        max_body_size=settings.max_request_bytes,
        docs_url=None,  # FastAPI's pages load their scripts from the internet
        redoc_url=None,
    )
    app.add_exception_handler(RequestValidationError, refuse_invalid)
    app.add_exception_handler(HTTPException, refuse)
    app.add_exception_handler(Exception, refuse_broken)
    metrics = RequestMetrics(live)
    _add_api(app, live, settings)
    _add_pages(app, Pages(settings, _MAX_TOP_N), metrics)
    return Monitor(_Guard(app, settings), metrics)


def _add_api(app: FastAPI, live: LiveModel, settings: ServeSettings) -> None:
    """What programs ask."""
    # The guard in front checks the token; this only says so in the description.
    guarded = [Security(HTTPBearer(auto_error=False))] if settings.token else []
    question_of_these_limits = _question(settings)

    @app.post(
        "/get_tags",
        dependencies=guarded,
        responses=described(400, 401, 413, 422, 503),
        response_model_exclude_none=True,
    )
    async def get_tags(
        request: Request,
        question: question_of_these_limits,  # type: ignore[valid-type]
    ) -> OneAnswer | ManyAnswers:
        """The TOP_N tags with the highest scores, of a text or of each text of a list."""
        text, top_n, why = question.text, question.TOP_N, question.why  # type: ignore[attr-defined]
        texts = [text] if isinstance(text, str) else text
        request.state.texts = len(texts)
        try:
            answering = live.batcher.ask(texts, top_n, why=why)
        except QueueFull:
            raise HTTPException(503, headers={"Retry-After": "1"}) from None
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

    @app.get("/model", dependencies=guarded, responses=described(401))
    async def model() -> ModelDescription:
        """Which model answers, since when, and how good it is."""
        return live.describe()


def _add_pages(app: FastAPI, pages: Pages, metrics: RequestMetrics) -> None:
    """What people and monitoring look at."""

    @app.get("/", include_in_schema=False)
    async def try_it(request: Request) -> HTMLResponse:
        return pages.answer("try.html.jinja", request)

    @app.get("/docs", include_in_schema=False)
    async def docs(request: Request) -> HTMLResponse:
        return pages.answer("docs.html.jinja", request)

    @app.get("/metrics", include_in_schema=False)
    async def read_metrics() -> Response:
        return Response(metrics.as_text(), media_type=CONTENT_TYPE_LATEST)


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
        TOP_N=(
            Annotated[int, Field(ge=1, le=_MAX_TOP_N), BeforeValidator(_whole_number)],
            Field(5, validation_alias=AliasChoices("TOP_N", "top_n"), description="How many tags; also as top_n."),
        ),
        why=(bool, Field(False, description="Whether each tag comes with its reasons, if the model has any.")),
    )


def _whole_number(value: Any) -> Any:
    """5.0 is an integer in JSON."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _whole_characters(value: Any) -> Any:
    """JSON may hold half an emoji ("\\ud83d"); cleaning removes it elsewhere, so a request is not refused for it."""
    return value.encode(errors="ignore").decode() if isinstance(value, str) else value


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
        _ = TRANSLATORS[preferred_language(headers.get(b"accept-language", b"").decode("latin-1"))]
        if self._token and path in _NEEDS_TOKEN:
            scheme, _space, given = headers.get(b"authorization", b"").partition(b" ")
            if scheme.lower() != b"bearer" or not hmac.compare_digest(given.strip(), self._token):
                hint = _("Send the header 'Authorization: Bearer TOKEN'.")
                return refusal(401, _("The token is missing or wrong."), hint, {"WWW-Authenticate": "Bearer"})
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self._max_bytes:
            message = _("The request is larger than {limit:,} bytes.", limit=self._max_bytes)
            return refusal(413, message, _("Send fewer or shorter texts."), {"Connection": "close"})
        return None
