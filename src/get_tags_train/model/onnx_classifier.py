"""The BERT of a model folder on a processor: ONNX Runtime, in float32."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PretrainedConfig

from get_tags_train.model.onnx_graph import build_graph, most_tokens

try:
    import onnxruntime
except (ImportError, OSError) as error:  # as on a Windows without the Visual C++ runtime
    MISSING: str | None = str(error).strip().splitlines()[0]
else:
    MISSING = None

_ONLY_ERRORS = 3


class OnnxClassifier:
    """Computes logits; several threads may use one at the same time."""

    # More at once fall out of the processor's caches.
    batch_tokens = 640

    def __init__(self, folder: Path, config: PretrainedConfig, threads: int) -> None:
        """Load the weights. Raises NoGraph where the model is of another kind."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = _ONLY_ERRORS
        options.enable_mem_pattern = False  # it keeps memory for each shape
        # Threads that spin while they wait take the processor from those that compute other texts.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder.resolve()))
        graph = build_graph(folder, config)
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self.most_tokens: int | None = most_tokens(config)

    def __call__(self, input_ids: NDArray[np.int64], attention_mask: NDArray[np.int64]) -> NDArray[np.float32]:
        """The logits, (texts, tags), for (texts, tokens) each."""
        logits: NDArray[np.float32] = self._session.run(
            None, {"input_ids": input_ids, "attention_mask": attention_mask}
        )[0]
        return logits
