"""Which tables and columns hold the documents and their tags, tried by reading some; the two queries come of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from get_tags_train.cli.conversation import Conversation
from get_tags_train.cli.database_questions import Database, say_problem
from get_tags_train.cli.prompts import Choice, GoBack, agree, choose, tell, type_value
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.core.i18n import N_, _, _n, documents
from get_tags_train.data import survey
from get_tags_train.data.database_errors import opened
from get_tags_train.data.queries import checked_select
from get_tags_train.data.source import DocumentSource, TagCoverage
from get_tags_train.data.survey import Column, Pairs, SurveyedTable, likeliness, write_joined_query, write_query

_OWN_QUERY, _OWN_COLUMN, _NONE = "query", "column", ""
_NO_TAGS = "SELECT id, 'none' AS tag FROM ({query}) documents WHERE 1 = 0"  # as long as nobody knows where they are

# Of the documents' table: the name that a column is read under, the question, and what it is often called.
_DOCUMENT_COLUMNS = [
    ("id", N_("Column with the document's id:"), survey.ID_NAMES),
    ("text", N_("Column with the text:"), survey.TEXT_NAMES),
    ("title", N_("Column with the title:"), survey.TITLE_NAMES),
    ("date", N_("Column with the date:"), survey.DATE_NAMES),
    ("version", N_("Column that changes whenever the text or the title does:"), survey.VERSION_NAMES),
]
_OPTIONAL = {"title", "date", "version"}
_ONLY_IF_LIKELY = {"date", "version"}


class Queries(NamedTuple):
    """The two queries, and how many documents they find with and without tags."""

    documents_query: str
    tags_query: str
    coverage: TagCoverage


class TableQuestions:
    """The questions about one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, talk: Conversation) -> Queries:
        """The queries that read what was chosen."""
        table, columns, query = self._ask_documents(talk)
        ids = talk.ask("documents", partial(self._confirm_documents, query))
        where = talk.ask("tags table", partial(self._choose_tags_table, table))
        if where == _OWN_QUERY:
            tags_query = talk.ask("tags query", partial(_type_query, "tags_query", "id, tag"))
        elif where == _OWN_COLUMN:
            assert table is not None
            ask = partial(_choose_column, table, _("Column with the tags (a;b or a list):"), survey.TAG_NAMES)
            tags_query, columns = "", {**columns, "tags": talk.ask("tags column", ask)}
            query = self._write(table, columns)
        else:
            tags_query = self._ask_tags_query(talk, where)
        coverage = talk.ask("tags", partial(self._confirm_tags, query, tags_query, ids))
        return Queries(query, tags_query, coverage)

    def _ask_documents(self, talk: Conversation) -> tuple[SurveyedTable | None, dict[str, str], str]:
        """The table, its columns by the names they are read under, and the query; only a query where it was typed."""
        table = talk.ask("documents table", self._choose_documents_table)
        if table == _OWN_QUERY:
            return None, {}, talk.ask("documents query", partial(_type_query, "documents_query", "id, text"))
        chosen = {}
        for name, question, likely in _DOCUMENT_COLUMNS:
            if name in _ONLY_IF_LIKELY and survey.likeliest(table.columns, likely) is None:
                continue
            ask = partial(_choose_column, table, _(question), likely, is_optional=name in _OPTIONAL)
            chosen[name] = talk.ask(f"documents {name}", ask)
        columns = {name: column for name, column in chosen.items() if column != _NONE}
        return table, columns, self._write(table, columns)

    def _ask_tags_query(self, talk: Conversation, pairs: SurveyedTable) -> str:
        """The query of a table with a row for each tag of a document; the tags' names may stand in another."""
        ask_id = partial(_choose_column, pairs, _("Column with the document's id:"), survey.ID_NAMES[1:])
        document = talk.ask("pairs document", ask_id)
        tag = talk.ask("pairs tag", partial(_choose_column, pairs, _("Column with the tag:"), survey.TAG_NAMES))
        names: Any = _NONE
        if next(column.is_integer for column in pairs.columns if column.name == tag):
            names = talk.ask("names table", partial(self._choose_names_table, pairs, tag))
        if names == _NONE:
            return self._write(pairs, {"id": document, "tag": tag})
        ask_key = partial(
            _choose_column, names, _("Column of {table} with the tag's id:", table=names), survey.ID_NAMES
        )
        key = talk.ask("names key", ask_key)
        ask_name = partial(_choose_column, names, _("Column with the tag's name:"), survey.TAG_NAMES)
        name = talk.ask("names name", ask_name)
        with opened(self._database.settings, self._database.home) as engine:
            return write_joined_query(engine, Pairs(pairs, document, tag), Pairs(names, key, name))

    def _choose_documents_table(self, earlier: Any) -> Any:
        tell(_("One row for each document: its id, its text and, if you have them, a title and a date."))

        def rank(table: SurveyedTable) -> tuple[Any, ...]:
            has_text = survey.likeliest(table.columns, survey.TEXT_NAMES) is not None
            return not has_text, likeliness(table.name, survey.DOCUMENT_TABLES)

        return self._choose_table(_("Which table has the documents?"), rank, [_own_query()], earlier)

    def _choose_tags_table(self, table: SurveyedTable | None, earlier: Any) -> Any:
        tell(_("One row for each tag of a document: the document's id, and the tag or its id."))
        more = [_own_query()]
        if table is not None:
            more.insert(0, Choice(_("None: {table} has them in a column", table=table), _OWN_COLUMN))

        def rank(other: SurveyedTable) -> tuple[Any, ...]:
            has_document = any("doc" in column.name.lower() for column in other.columns)
            return other == table, not has_document, likeliness(other.name, survey.PAIR_TABLES)

        return self._choose_table(_("Which table says what tags a document has?"), rank, more, earlier)

    def _choose_names_table(self, pairs: SurveyedTable, tag: str, earlier: Any) -> Any:
        tell(_("{column} holds numbers, so the names of the tags are likely in another table.", column=tag))
        more = [Choice(_("None: these numbers are the tags"), _NONE)]

        def rank(other: SurveyedTable) -> tuple[Any, ...]:
            return other == pairs, likeliness(other.name, ["tags", "tag", *survey.TAG_NAMES])

        return self._choose_table(_("Which table has the tags' names?"), rank, more, earlier)

    def _choose_table(
        self, question: str, rank: Callable[[SurveyedTable], Any], more: Sequence[Choice], earlier: Any
    ) -> Any:
        """A table, the likeliest first, or one of `more`."""
        tables = sorted(self._database.tables, key=rank)
        return choose(question, [*(Choice(str(table), table) for table in tables), *more], earlier)

    def _write(self, table: SurveyedTable, columns: Mapping[str, str]) -> str:
        with opened(self._database.settings, self._database.home) as engine:
            return write_query(engine, table, columns)

    def _confirm_documents(self, query: str, _earlier: Any) -> pa.Array:
        """The ids of all documents, once somebody has looked at some of them."""
        with _reading(), opened(self._database.settings, self._database.home) as engine:
            source = DocumentSource(engine, query, _NO_TAGS.format(query=checked_select(query, "documents_query")))
            listed = source.read_ids()
            examples = [line.removesuffix(" []") for line in survey.example_lines(source)]
        passed_over = _(
            "{repeated:,} ids are repeated, {nulls:,} are NULL.", repeated=listed.repeated, nulls=listed.nulls
        )
        said = [documents(len(listed.ids)), *([passed_over] if listed.repeated or listed.nulls else [])]
        _say_found(". ".join(said), examples)
        if not agree(_("Are these the documents?"), default=True, can_go_back=True):
            raise GoBack
        return listed.ids

    def _confirm_tags(self, documents_query: str, tags_query: str, ids: pa.Array, _earlier: Any) -> TagCoverage:
        """How many documents have tags, once somebody has looked at some of them."""
        with _reading(), opened(self._database.settings, self._database.home) as engine:
            source = DocumentSource(engine, documents_query, tags_query)
            coverage = source.tag_coverage(ids)
            if not coverage.tagged:
                raise InputError(
                    _(
                        "No document has a tag: none of the {count:,} ids there belongs to a document.",
                        count=coverage.without_document,
                    ),
                    _("Choose the column that holds the ids of {documents}.", documents=documents(len(ids))),
                )
            examples = survey.example_lines(source)
        said = _(
            "{tagged} with tags, {untagged} without",
            tagged=documents(coverage.tagged),
            untagged=documents(coverage.untagged),
        )
        _say_found(said, examples)
        if strangers := coverage.without_document:
            tell(
                _n(
                    "! {count:,} id there belongs to no document; its tags are left out.",
                    "! {count:,} ids there belong to no document; their tags are left out.",
                    strangers,
                )
            )
        if not agree(_("Are these the tags?"), default=True, can_go_back=True):
            raise GoBack
        return coverage


def _choose_column(
    table: SurveyedTable, question: str, likely: Sequence[str], earlier: str | None, *, is_optional: bool = False
) -> str:
    """A column of the table, the likeliest first; '' where there is none and none is needed."""
    columns: list[Column] = sorted(table.columns, key=lambda column: likeliness(column.name, likely))
    choices = [Choice(column.name, column.name) for column in columns]
    guess = survey.likeliest(table.columns, likely)
    if is_optional:
        choices.append(Choice(_("None"), _NONE))
        guess = guess or _NONE
    return str(choose(question, choices, guess if earlier is None else earlier))


def _type_query(key: str, columns: str, earlier: str | None) -> str:
    """One SELECT, refused where it is typed if it is none."""
    tell(_("One SELECT with the columns {columns}; docs/databases.md says more.", columns=columns))

    def check(query: str) -> bool | str:
        try:
            checked_select(query, key)
        except InputError as error:
            return error.message
        return True

    return type_value(f"{key}:", earlier or "", check)


def _own_query() -> Choice:
    return Choice(_("I write the query myself"), _OWN_QUERY)


def _say_found(found: str, examples: Sequence[str]) -> None:
    tell(f"✓ {found}. " + _("For example:"))
    for line in examples:
        tell(f"  {line}")


@contextmanager
def _reading() -> Iterator[None]:
    """What cannot be read is said, and the answer before is asked for again."""
    tell(_("Reading ..."))
    try:
        yield
    except GetTagsError as error:
        say_problem(error)
        raise GoBack from None
