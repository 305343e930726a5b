"""tags_vX: what it says of itself is what is in it, to the byte."""

import hashlib
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pytest
from databases import fill, settings_for, silent
from transformers import AutoTokenizer

from get_tags_train.core.arrow import list_column, list_rows
from get_tags_train.core.errors import GetTagsError, InputError
from get_tags_train.data import read
from get_tags_train.data.extract import extract
from get_tags_train.data.prepared import FORMAT, DocumentDigests, PreparedData, document_schema

LONG = "Autoritatea contractantă a publicat anunțul de participare. " * 200
DOCUMENTS = [(7, "Hotărâre", "Consiliul a hotărât."), (3, None, LONG)]
TAGS = [(7, "urbanism"), (7, "buget"), (3, "achiziții")]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, demo_tokenizer_folder: Path) -> Path:
    home = tmp_path_factory.mktemp("prepared")
    fill(f"sqlite:///{home / 'test.db'}", DOCUMENTS, TAGS)
    return Path(extract(settings_for(home, training={"base_model": str(demo_tokenizer_folder)}), silent).path)


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(original, tmp_path / "tags_v1"))


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(content), ensure_ascii=False), encoding="utf-8")


def test_the_checksum_by_hand(original: Path, demo_tokenizer_folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(demo_tokenizer_folder)

    def field(content: bytes) -> bytes:
        return struct.pack("<Q", len(content)) + content

    whole = b""
    texts = {3: LONG.strip(), 7: "Hotărâre\nConsiliul a hotărât."}
    for document_id, tags in ((3, ["achiziții"]), (7, ["buget", "urbanism"])):
        input_ids = tokenizer(texts[document_id], truncation=True, max_length=512)["input_ids"]
        own = field(str(document_id).encode()) + field(texts[document_id].encode())
        own += struct.pack("<Q", len(tags)) + b"".join(field(tag.encode()) for tag in tags)
        own += field(struct.pack(f"<{len(input_ids)}i", *input_ids))
        whole += hashlib.sha256(own).digest()
    assert PreparedData(original).manifest.checksum == hashlib.sha256(whole).hexdigest()


def test_where_one_field_ends_matters() -> None:
    def checksum(document_id: int | str, text: str, tags: list[str]) -> str:
        digests = DocumentDigests(tags)
        row = {"id": document_id, "text": text, "tags": range(len(tags)), "input_ids": [1]}
        schema = document_schema(pa.int64() if isinstance(document_id, int) else pa.string())
        digests.add(pa.RecordBatch.from_pylist([row], schema))
        return digests.hexdigest()

    found = {checksum(1, "2a", ["b"]), checksum(12, "a", ["b"]), checksum(1, "2", ["ab"]), checksum(1, "2a", ["b", ""])}
    assert len(found | {checksum(1, "2", ["a", "b"])}) == 5
    assert checksum(1, "a", []) == checksum("1", "a", [])


def test_documents_are_read_back(original: Path) -> None:
    data = PreparedData(original)
    (batch,) = data.batches()
    assert (data.name, data.tags, data.tag_counts) == ("tags_v1", ["achiziții", "buget", "urbanism"], [1, 1, 1])
    assert batch.column("id").to_pylist() == [3, 7]
    assert batch.column("tags").to_pylist() == [[0], [1, 2]]
    long, short = batch.column("input_ids").to_pylist()
    assert len(long) == 512
    assert long[-1] == short[-1]
    assert data.manifest.source["context_length"] == 512
    data.verify()


def test_datasets_opens_the_folder(original: Path) -> None:
    opened = datasets.load_from_disk(str(original))
    assert isinstance(opened, datasets.Dataset)
    assert opened.column_names == ["id", "text", "source_hash", "text_hash", "tags", "date", "input_ids"]
    assert opened.num_rows == 2
    assert opened.features["tags"] == datasets.List(datasets.Value("int32"))
    (batch,) = PreparedData(original).batches()
    assert [opened[0], opened[1]] == batch.to_pylist()


def test_datasets_opens_all_shards_in_stored_order(
    tmp_path: Path, demo_tokenizer_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "SHARD_DOCUMENTS", 2)
    documents = [(n, None, f"Textul al {n}-lea") for n in range(1, 6)]
    fill(f"sqlite:///{tmp_path / 'test.db'}", documents, [(n, f"t{n}") for n in range(1, 6)])
    settings = settings_for(tmp_path, training={"base_model": str(demo_tokenizer_folder)}, database={"page_size": 1})
    data = PreparedData(Path(extract(settings, silent).path))
    assert len(data.document_paths) == 3
    opened = datasets.load_from_disk(str(data.folder))
    assert opened["id"][:] == [1, 2, 3, 4, 5]
    assert [[data.tags[tag] for tag in row] for row in opened["tags"]] == [[f"t{n}"] for n in range(1, 6)]
    data.verify()


def test_data_made_before_datasets_opened_them_are_read(folder: Path, original: Path) -> None:
    added = {"dataset_info.json", "state.json"}
    for name in added:
        (folder / name).unlink()
    kept = {name: entry for name, entry in PreparedData(original).manifest.files.items() if name not in added}
    edit_json(folder / "manifest.json", lambda manifest: {**manifest, "files": kept})
    data = PreparedData(folder)
    data.verify()
    assert [i for batch in data.batches() for i in batch.column("id").to_pylist()] == [3, 7]


def test_the_manifest_lists_every_file(original: Path) -> None:
    manifest = PreparedData(original).manifest
    for name, entry in manifest.files.items():
        content = (original / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    assert {*manifest.files, "manifest.json"} == {path.name for path in original.iterdir()}


def test_a_flipped_byte_is_found(folder: Path) -> None:
    path = folder / "documents-00000.arrow"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    data = PreparedData(folder)
    with pytest.raises(InputError, match=r"documents-00000\.arrow has changed since it was written") as caught:
        data.verify()
    assert "get-tags data remove tags_v1" in caught.value.hint


@pytest.mark.parametrize("name", ["documents-00000.arrow", "tags.json", "manifest.json"])
def test_a_missing_file_is_found_on_opening(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match="are damaged"):
        PreparedData(folder)


def test_a_file_cut_short_is_found_on_opening(folder: Path) -> None:
    path = folder / "documents-00000.arrow"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match=r"documents-00000\.arrow is missing or has another size"):
        PreparedData(folder)


def test_other_tags_are_found(folder: Path) -> None:
    edit_json(folder / "tags.json", lambda tags: list(reversed(tags)))
    with pytest.raises(InputError, match="damaged"):
        PreparedData(folder).verify()


@pytest.mark.parametrize("field", ["checksum", "files"])
def test_an_edited_manifest_is_found(folder: Path, field: str) -> None:
    def change(manifest: dict[str, Any]) -> dict[str, Any]:
        if field == "checksum":
            return {**manifest, "checksum": "0" * 64}
        manifest["files"]["tags.json"]["sha256"] = "0" * 64
        return manifest

    edit_json(folder / "manifest.json", change)
    with pytest.raises(GetTagsError, match="damaged"):
        PreparedData(folder).verify()


@pytest.mark.parametrize("content", ["", "[]", "{}", "null", f'{{"format": {FORMAT}}}', "\0"])
def test_a_manifest_that_is_none(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"damaged|format None"):
        PreparedData(folder)


@pytest.mark.parametrize("source", [{"context_length": "C:\\Windows"}, {"context_length": 2**70}, {"kind": []}])
def test_a_manifest_with_an_absurd_source_is_damaged(folder: Path, source: dict[str, Any]) -> None:
    edit_json(folder / "manifest.json", lambda manifest: {**manifest, "source": manifest["source"] | source})
    with pytest.raises(InputError, match="damaged"):
        PreparedData(folder)


def test_a_manifest_that_does_not_know_a_files_size_is_damaged(folder: Path) -> None:
    edit_json(folder / "manifest.json", lambda manifest: {**manifest, "files": {"tags.json": {}}})
    with pytest.raises(InputError, match="damaged"):
        PreparedData(folder)


def test_a_newer_format_is_refused(folder: Path) -> None:
    edit_json(folder / "manifest.json", lambda manifest: {**manifest, "format": FORMAT + 1, "unheard_of": 1})
    with pytest.raises(
        InputError, match=f"is in format {FORMAT + 1}; this version of get-tags reads {FORMAT}"
    ) as caught:
        PreparedData(folder)
    assert "Extract" in caught.value.hint


def test_lists_and_rows() -> None:
    rows = [np.array([1, 2], np.int32), np.zeros(0, np.int32), np.array([3], np.int32)]
    column = list_column(rows)
    assert column.to_pylist() == [[1, 2], [], [3]]
    assert [row.tolist() for row in list_rows(column)] == [[1, 2], [], [3]]
    assert [row.tolist() for row in list_rows(column.slice(1))] == [[], [3]]
    assert list_column([]).type == pa.list_(pa.int32())
