"""What stays beside a model: its evaluations, and two pages for people."""

from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from jinja2 import Environment

from get_tags_train.evaluate import Evaluation
from get_tags_train.folders import write_json, write_text
from get_tags_train.modelfacts import FACTS, read_facts

_CARD = """---
{{ card_data }}
---

# {{ model_name }}

Names tags for a text: a multi-label model fine-tuned from `{{ base_model }}` by get-tags-train {{ version }}
on {{ examples }} documents of `{{ data_name }}` ({{ tags }} tags).

```python
from transformers import pipeline

name_tags = pipeline("text-classification", "path/to/this/folder", top_k=5)
name_tags("Textul documentului", truncation=True)
```

| made | {{ created }} |
| --- | --- |
| data | {{ data_name }}, checksum {{ checksum }} |
| epochs | {{ settings.epochs }} |
| batch size | {{ settings.batch_size }} |
| context length | {{ settings.context_length }} tokens |
| seed | {{ settings.seed }} |
| device | {{ device }}, {{ precision }} |
{% if evaluation %}
## Evaluation on {{ evaluation.examples }} test samples

| k | precision@k | always the most frequent tags |
| --- | --- | --- |
{% for k, value in evaluation.precision_at_k.items() -%}
| {{ k }} | {{ "%.3f"|format(value) }} | {{ "%.3f"|format(evaluation.most_frequent_precision_at_k[k]) }} |
{% endfor %}{% endif %}"""


def record(folder: Path, evaluation: Evaluation) -> None:
    """Keep an evaluation in get_tags.json of the model, beside those before it, and on its card."""
    facts = read_facts(folder)
    if not facts:
        return  # not a model of ours: nothing is written into foreign folders
    dated = {"date": datetime.now().astimezone().isoformat(timespec="seconds"), **asdict(evaluation)}
    write_json(folder / FACTS, {**facts, "evaluations": [*facts.get("evaluations", []), dated]})
    write_pages(folder)


def write_pages(folder: Path) -> None:
    """Write what people read of a model that get-tags made: README.md, its model card, and report.html."""
    facts = read_facts(folder)
    template = Path(__file__).with_name("report.html.jinja").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True).from_string(template).render(facts=facts)
    write_text(folder / "report.html", page)
    write_text(folder / "README.md", _card(facts))


def _card(facts: dict[str, Any]) -> str:
    """A Hugging Face model card with the newest evaluation."""
    evaluation: dict[str, Any] = facts["evaluations"][-1] if facts["evaluations"] else {}
    data = ModelCardData(
        model_name=facts["name"],
        library_name="transformers",
        pipeline_tag="text-classification",
        tags=["multi-label"],
        eval_results=[
            EvalResult(
                task_type="text-classification",
                dataset_type="csv",
                dataset_name="test samples",
                metric_type=f"precision_at_{k}",
                metric_value=value,
            )
            for k, value in evaluation.get("precision_at_k", {}).items()
        ]
        or None,
    )
    card = ModelCard.from_template(
        data,
        template_str=_CARD,
        base_model=facts["base_model"],
        version=facts["version"],
        examples=facts["examples"],
        tags=len(facts["tags"]),
        created=facts["created"],
        data_name=facts["data"]["name"],
        checksum=facts["data"]["checksum"],
        settings=facts["settings"],
        device=facts["device"],
        precision=facts["precision"],
        evaluation=evaluation,
    )
    return str(card).rstrip() + "\n"
