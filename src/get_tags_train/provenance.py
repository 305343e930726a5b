"""What a model keeps of the data it was trained on: hashes of the texts, ids of the tags, a summary for people."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from get_tags_train import trained_texts
from get_tags_train.dataset import PreparedData
from get_tags_train.figures import measure
from get_tags_train.folders import write_json
from get_tags_train.modelfacts import FACTS, read_facts


def keep(folder: Path, data: PreparedData, left_out: NDArray[np.bool_], base_model: Path) -> None:
    """Write it into a model's folder; left_out: (documents,) those that the training never saw."""
    trained_texts.write(folder, data, np.flatnonzero(~left_out), base_model)
    facts = read_facts(folder)
    manifest = data.manifest
    ids = dict(zip(data.tags, data.tag_ids, strict=True))
    tags = [entry | ({"ids": ids[entry["tag"]]} if ids.get(entry["tag"]) else {}) for entry in facts["tags"]]
    summary = {
        "created": manifest.created,
        "documents_read": manifest.documents_read,
        "documents_kept": manifest.documents_kept,
        "dropped": manifest.dropped,
        "missing_ids": manifest.missing_ids,
        "tags": manifest.tags,
        "figures": asdict(measure(data)),
    }
    write_json(folder / FACTS, {**facts, "tags": tags, "data": {**facts["data"], "summary": summary}})
