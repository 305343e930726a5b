"""Reading again after a lost connection, a deadlock or a timeout, with growing pauses."""

import re
from collections.abc import Callable
from threading import Event
from time import monotonic
from typing import NamedTuple, TypeVar

from sqlalchemy.exc import DBAPIError, OperationalError

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import _
from get_tags_train.data.database_errors import is_undecodable

_T = TypeVar("_T")
# SQLSTATEs and the servers' own numbers of what passes by itself.
_DEADLOCK = {"40001", "40P01", "1213"}
_BLOCKED = {"1205", "55P03", "SQLITE_BUSY"}
_TIMEOUT = {"HYT00", "HYT01", "57014", "1969", "3024"}
_LONGEST_PAUSE_SECONDS = 30.0


class RetryPolicy(NamedTuple):
    """How long reading is tried again, and who hears why and of the pause in seconds; `ended` cuts it short."""

    seconds: float
    on_retry: Callable[[str, float], None]
    ended: Event


def retry(read: Callable[[], _T], policy: RetryPolicy) -> _T:
    """read(), again with growing pauses while a connection is lost, a deadlock or a timeout is in the way.

    Raises GetTagsError when it still fails `policy.seconds` after it first did; 0 is for a single try, whose error
    is the database's own.
    """
    kept = _("What was read is kept: the same command continues it.")
    failed_at, pause = None, 1.0
    while True:
        try:
            return read()
        except DBAPIError as error:
            reason = transient_error(error)
            if not reason or not policy.seconds:
                raise
            failed_at = monotonic() if failed_at is None else failed_at
            if monotonic() - failed_at >= policy.seconds:
                raise GetTagsError(
                    _(
                        "{reason}, and {seconds:g} seconds of retries did not help.",
                        reason=reason,
                        seconds=policy.seconds,
                    ),
                    kept,
                ) from None
        policy.on_retry(reason, pause)
        if policy.ended.wait(pause):
            raise GetTagsError(_("Reading was stopped."), kept)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def transient_error(error: BaseException) -> str:
    """What went wrong, where the same query may succeed a little later; '' where it would fail again."""
    if not isinstance(error, DBAPIError) or error.orig is None or is_undecodable(error):
        return ""
    orig = error.orig
    given = [getattr(orig, name, "") for name in ("sqlstate", "pgcode", "sqlite_errorname")]
    codes = {str(code) for code in (*given, *orig.args[:1]) if code} | set(re.findall(r"\((\d{4})\)", str(orig)))
    if codes & _DEADLOCK:
        return _("The database chose this query as the victim of a deadlock")
    if codes & _BLOCKED:
        return _("The documents are locked by another writer")
    # Before the connection: SQLAlchemy gives one up after a timeout of SQL Server.
    if codes & _TIMEOUT:
        return _("The database took too long to answer")
    if error.connection_invalidated or any(re.fullmatch("08...", code) for code in codes):
        return _("The connection to the database was lost")
    # Not in a query: connecting anew. What the server itself refuses has a code.
    refused = any(re.fullmatch("(28|3D|42)...|IM00.|10[0-9]{2}", code) for code in codes)
    if error.statement is None and type(error) in (OperationalError, DBAPIError) and not refused:
        return _("The database cannot be reached")
    return ""
