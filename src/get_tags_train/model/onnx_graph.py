"""The ONNX graph of a model folder: BERT, RoBERTa and XLM-R, computed from the weights that lie beside it.

ONNX Runtime reads the weights out of model.safetensors, so a graph takes some ten kilobytes and no copy of them.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, StringStringEntryProto, TensorProto, helper, numpy_helper
from transformers import PretrainedConfig

GRAPH = "model.onnx"
WEIGHTS = "model.safetensors"
# Operators of ONNX Runtime (attention, GELU), and versions that any release of the last years reads.
_RUNTIME_OPERATORS, _OPSET, _IR_VERSION = "com.microsoft", 17, 8
# Where the weights of each kind of model begin; CamemBERT and XLM-R are RoBERTa by other names.
_PREFIXES = {"bert": "bert", "roberta": "roberta", "camembert": "roberta", "xlm-roberta": "roberta"}


class NoGraph(Exception):
    """A model whose graph is not known here, or whose weights are not those of its kind in float32."""


class _Tensor(NamedTuple):
    """A tensor of a safetensors file: its shape, the byte at which it begins, and how many bytes it has."""

    shape: list[int]
    offset: int
    length: int


def build_graph(folder: Path, config: PretrainedConfig) -> bytes:
    """The graph of a model folder: (input_ids, attention_mask), int64 (texts, tokens) -> logits, (texts, tags).

    Padding follows a text. Raises NoGraph, and OSError where the weights cannot be read.
    """
    if config.model_type not in _PREFIXES or config.hidden_act != "gelu" or getattr(config, "is_decoder", False):
        raise NoGraph(config.model_type)
    if getattr(config, "position_embedding_type", None) not in (None, "absolute"):
        raise NoGraph(config.position_embedding_type)
    graph: bytes = _Encoder(config, _float32_tensors(folder / WEIGHTS)).model().SerializeToString()
    return graph


def most_tokens(config: PretrainedConfig) -> int:
    """How many tokens such a model has positions for; RoBERTa's first ones, up to the padding token's, are unused."""
    positions: int = config.max_position_embeddings
    return positions if config.model_type == "bert" else positions - config.pad_token_id - 1


def _float32_tensors(path: Path) -> dict[str, _Tensor]:
    """The float32 tensors of a safetensors file, by name. Raises NoGraph where it is none."""
    try:
        with path.open("rb") as stream:
            start = 8 + int.from_bytes(stream.read(8), "little")
            if start > path.stat().st_size:
                raise NoGraph(path.name)
            entries = json.loads(stream.read(start - 8))
        return {
            name: _Tensor(entry["shape"], start + entry["data_offsets"][0], -int(np.subtract(*entry["data_offsets"])))
            for name, entry in entries.items()
            if entry.get("dtype") == "F32"
        }
    except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise NoGraph(path.name) from error


class _Encoder:
    """The nodes of one model. Activations are (texts * tokens, width), but for attention."""

    def __init__(self, config: PretrainedConfig, tensors: dict[str, _Tensor]) -> None:
        self._config, self._tensors = config, tensors
        self._prefix = _PREFIXES[config.model_type]
        self._width: int = config.hidden_size
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, TensorProto] = {}

    def model(self) -> ModelProto:
        """The whole model."""
        tags = len(self._config.id2label or ())
        ends = self._classify(self._encode(), tags)
        both = ["texts", "tokens"]
        graph = helper.make_graph(
            self._nodes,
            "get-tags",
            [helper.make_tensor_value_info(name, TensorProto.INT64, both) for name in ("input_ids", "attention_mask")],
            [helper.make_tensor_value_info(ends, TensorProto.FLOAT, ["texts", tags])],
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_RUNTIME_OPERATORS, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="get-tags-train")

    def _encode(self) -> str:
        """The first token's output of the last layer: (texts, width)."""
        shape = self._add("Shape", "input_ids")
        self._by_token = self._add("Concat", shape, self._number([self._width]), axis=0)
        self._mask = self._add("Cast", "attention_mask", to=TensorProto.INT32)
        self._is_full = self._add("Equal", self._add("ReduceMin", "attention_mask", keepdims=0), self._number(1))
        states = self._embed(shape)
        layers: int = self._config.num_hidden_layers
        for layer in range(layers):
            states = self._layer(f"{self._prefix}.encoder.layer.{layer}", states, is_last=layer == layers - 1)
        return states

    def _embed(self, shape: str) -> str:
        own, width = f"{self._prefix}.embeddings", self._width
        positions = self._weight(f"{own}.position_embeddings.weight", None, width)
        types = self._weight(f"{own}.token_type_embeddings.weight", None, width)
        words = self._add("Gather", self._weight(f"{own}.word_embeddings.weight", None, width), "input_ids")
        summed = self._add("Add", words, self._add("Gather", types, self._number([0])))
        if self._prefix == "bert":
            tokens = self._add("Gather", shape, self._number([1]))
            placed = self._add("Slice", positions, self._number([0]), tokens, self._number([0]))
        else:
            placed = self._add("Gather", positions, self._positions_after_padding())
        summed = self._add("Add", summed, placed)
        return self._norm(self._add("Reshape", summed, self._number([-1, width])), f"{own}.LayerNorm")

    def _positions_after_padding(self) -> str:
        """RoBERTa's positions: a text's tokens are counted from the padding token's number on."""
        padding = self._number([self._config.pad_token_id])
        is_padding = self._add("Equal", "input_ids", padding)
        is_token = self._add("Cast", self._add("Not", is_padding), to=TensorProto.INT64)
        counted = self._add("CumSum", is_token, self._number([1]))
        return self._add("Add", self._add("Mul", counted, is_token), padding)

    def _layer(self, own: str, states: str, *, is_last: bool) -> str:
        """A layer: (texts * tokens, width); the last: (texts, width), the first tokens, for no other is read."""
        attention, width = f"{own}.attention", self._width
        by_token = self._add("Reshape", states, self._by_token)
        asking = states
        if is_last:
            asking = self._add("Gather", by_token, self._number(0), axis=1)
        query, key, value = (
            self._add("Reshape", self._dense(of, f"{attention}.self.{name}", width, width), shape)
            for name, of, shape in (
                ("query", asking, self._number([-1, 1, width]) if is_last else self._by_token),
                ("key", states, self._by_token),
                ("value", states, self._by_token),
            )
        )
        found = self._add("Reshape", self._attend(query, key, value), self._number([-1, width]))
        found = self._dense(found, f"{attention}.output.dense", width, width)
        states = self._norm(self._add("Add", found, asking), f"{attention}.output.LayerNorm")
        inner: int = self._config.intermediate_size
        wide = self._dense(states, f"{own}.intermediate.dense", width, inner, then="BiasGelu")
        summed = self._add("Add", self._dense(wide, f"{own}.output.dense", inner, width), states)
        return self._norm(summed, f"{own}.output.LayerNorm")

    def _attend(self, *query_key_value: str) -> str:
        """Attention; without the mask where no text has padding, which is faster."""
        branches = {}
        for branch, more in (("then_branch", []), ("else_branch", ["", self._mask])):
            output = f"attention_{len(self._nodes)}_{branch}"
            node = helper.make_node(
                "MultiHeadAttention",
                [*query_key_value, *more],
                [output],
                domain=_RUNTIME_OPERATORS,
                num_heads=self._config.num_attention_heads,
            )
            result = helper.make_tensor_value_info(output, TensorProto.FLOAT, None)
            branches[branch] = helper.make_graph([node], branch, [], [result])
        return self._add("If", self._is_full, **branches)

    def _classify(self, first: str, tags: int) -> str:
        width = self._width
        pooler, last = "classifier.dense", "classifier.out_proj"
        if self._prefix == "bert":
            pooler, last = "bert.pooler.dense", "classifier"
        pooled = self._add("Tanh", self._dense(first, pooler, width, width))
        return self._dense(pooled, last, width, tags, output="logits")

    def _dense(self, of: str, name: str, inputs: int, outputs: int, then: str = "", output: str = "") -> str:
        weight, bias = self._weight(f"{name}.weight", outputs, inputs), self._weight(f"{name}.bias", outputs)
        if then:
            product = self._add("Gemm", of, weight, transB=1)
            return self._add(then, product, bias, domain=_RUNTIME_OPERATORS)
        return self._add("Gemm", of, weight, bias, output=output, transB=1)

    def _norm(self, of: str, name: str) -> str:
        scale, bias = (self._weight(f"{name}.{part}", self._width) for part in ("weight", "bias"))
        return self._add("LayerNormalization", of, scale, bias, axis=-1, epsilon=self._config.layer_norm_eps)

    def _add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def _number(self, value: int | list[int]) -> str:
        name = f"constant_{value}"
        self._constants.setdefault(name, numpy_helper.from_array(np.array(value, np.int64), name))
        return name

    def _weight(self, name: str, *shape: int | None) -> str:
        """A tensor of the safetensors file; None in `shape` stands for any number."""
        tensor = self._tensors.get(name)
        if tensor is None or len(tensor.shape) != len(shape):
            raise NoGraph(name)
        if any(wanted not in (None, found) for wanted, found in zip(shape, tensor.shape, strict=True)):
            raise NoGraph(name)
        place = {"location": WEIGHTS, "offset": tensor.offset, "length": tensor.length}
        self._constants[name] = TensorProto(
            name=name,
            data_type=TensorProto.FLOAT,
            dims=tensor.shape,
            data_location=TensorProto.EXTERNAL,
            external_data=[StringStringEntryProto(key=key, value=str(value)) for key, value in place.items()],
        )
        return name
