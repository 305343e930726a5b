"""The arithmetic of training: one optimiser step on the documents of a batch, however many of them fit at once."""

import copy
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits
from transformers import PreTrainedModel

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.model.base_model import is_new_layer
from get_tags_train.model.cpu_threads import CpuThreads
from get_tags_train.model.device import choose_precision, is_out_of_memory
from get_tags_train.training.batches import Batch, Documents, split_by_tokens
from get_tags_train.training.cpu_kernels import has_plain_attention, seed_dropout, use_own_dropout, use_plain_products
from get_tags_train.training.distributed import ProcessGroup

# Tokens computed at once, padding included, by each core that computes alone: enough to keep a GPU busy, few enough
# for a processor's caches. Where memory ends before, it is halved.
_MICRO_BATCH_TOKENS = {"cpu": 2_048, "cuda": 65_536}
_MOMENTS = ("exp_avg", "exp_avg_sq")


class StepResult(NamedTuple):
    """What one optimiser step had: mean loss, norm of the gradient, tokens without and with the padding."""

    loss: float
    norm: float
    tokens: int
    computed_tokens: int

    @property
    def is_sound(self) -> bool:
        """Whether loss and gradient are numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.norm)


class TrainingStep:
    """A model and its optimiser. What a step does follows from the seed, its number and the state, nothing else."""

    def __init__(
        self,
        model: PreTrainedModel,
        documents: Documents,
        training: TrainingSettings,
        processes: ProcessGroup,
        device: str,
    ) -> None:
        self.physical_tokens = self.most_tokens = _MICRO_BATCH_TOKENS[device]
        torch.nn.Module.to(model, device)
        divides = device == "cpu" and has_plain_attention(model)
        if divides:
            use_plain_products(model)
            use_own_dropout(model)  # torch's draws from one generator, whichever thread comes first
        self._cores = CpuThreads(divides=divides)
        self._model, self._models = model, [model, *(_share_weights(model) for _ in range(self._cores.count - 1))]
        self._documents, self._training, self._processes, self.device = documents, training, processes, device
        self._is_bf16 = choose_precision(training.precision, device) == "bf16"
        self._named = {name: p for name, p in model.named_parameters() if p.requires_grad}
        groups: dict[tuple[bool, bool], list[str]] = {}
        for name, parameter in self._named.items():
            # Biases and norms, which have one dimension, do not decay.
            groups.setdefault((is_new_layer(name, model), parameter.ndim > 1), []).append(name)
        self._names = [name for names in groups.values() for name in names]
        self._peak_rates = [training.head_learning_rate if new else training.learning_rate for new, _ in groups]
        self._optimizer = torch.optim.AdamW(
            [
                {"params": [self._named[name] for name in names], "weight_decay": training.weight_decay * decays}
                for (_, decays), names in groups.items()
            ],
            fused=True,
        )

    def step(self, number: int, rows: NDArray[np.int64], share: float) -> StepResult:
        """Take optimiser step `number` on these documents, at this share of the peak learning rates.

        A step whose loss or gradient is no number changes nothing. Raises GetTagsError where memory does not hold
        one document.
        """
        taken = self.gradient(number, rows)
        if taken.is_sound:
            for group, peak in zip(self._optimizer.param_groups, self._peak_rates, strict=True):
                group["lr"] = peak * share
            self._optimizer.step()
        self.zero_grad()
        return taken

    def gradient(self, number: int, rows: NDArray[np.int64]) -> StepResult:
        """The gradient of the mean loss over these documents, of all processes together, clipped."""
        by_length = rows[np.argsort(-self._documents.lengths[rows], kind="stable")]
        own = by_length[self._processes.rank :: self._processes.count]
        figures = self._accumulate(number, own, len(rows))
        parameters = self._named.values()
        if not len(own):  # fewer documents than processes
            for parameter in parameters:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self._processes.add_up([*gradients, figures])
        norm = torch.nn.utils.get_total_norm(gradients)
        if self._training.max_grad_norm:
            torch.nn.utils.clip_grads_with_norm_(parameters, self._training.max_grad_norm, norm)
        loss, tokens, computed_tokens = figures.tolist()
        return StepResult(loss, float(norm), int(tokens), int(computed_tokens))

    def zero_grad(self) -> None:
        """As if no gradient had been computed."""
        self._optimizer.zero_grad()

    def _accumulate(self, number: int, rows: NDArray[np.int64], divisor: int) -> torch.Tensor:
        """Add up the gradients of all documents, by all cores; loss, tokens and computed tokens."""
        shares = [rows[core :: self._cores.count] for core in range(self._cores.count)]
        while True:
            try:
                parts = self._cores.map(
                    lambda core: self._accumulate_share(number, core, shares[core], divisor), range(len(shares))
                )
                self._gather_gradients()
                return torch.stack(parts).sum(0)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Outside the except: its traceback would keep the tensors of the failed attempt.
            for model in self._models:
                model.zero_grad()
            self._compute_less(len(shares[0]), int(self._documents.lengths[rows].max()))

    def _accumulate_share(self, number: int, core: int, rows: NDArray[np.int64], divisor: int) -> torch.Tensor:
        """Add up the gradients of one core's documents, in parts that memory holds."""
        seed = [self._training.seed, number, self._processes.rank, core]
        seed_dropout(seed)
        if len(self._models) == 1:
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))
        model = self._models[core].train()
        figures = torch.zeros(3, device=self.device)
        for part in split_by_tokens(rows, self._documents.lengths, self.physical_tokens):
            batch = self._documents.batch(part)
            figures[0] += self._backward(model, batch, divisor)
            figures[1:] += torch.tensor([batch.tokens, batch.input_ids.numel()], device=self.device)
        return figures

    def _gather_gradients(self) -> None:
        """Add the twins' gradients to the model's own, always in the same order."""
        for twin in self._models[1:]:
            for own, other in zip(self._model.parameters(), twin.parameters(), strict=True):
                if other.grad is not None:
                    own.grad = other.grad if own.grad is None else own.grad.add_(other.grad)
                    other.grad = None

    def _backward(self, model: PreTrainedModel, batch: Batch, divisor: int) -> torch.Tensor:
        logits = self._logits(model, batch, in_bf16=self._is_bf16)
        labels = batch.labels.to(self.device, non_blocking=True)
        loss = LOSSES[self._training.loss](logits, labels).sum() / divisor
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def _logits(self, model: PreTrainedModel, batch: Batch, *, in_bf16: bool) -> torch.Tensor:
        with torch.autocast(self.device, torch.bfloat16, enabled=in_bf16):
            logits: torch.Tensor = model(
                input_ids=batch.input_ids.to(self.device, non_blocking=True),
                attention_mask=batch.attention_mask.to(self.device, non_blocking=True),
            ).logits
        return logits.float()

    def _compute_less(self, documents: int, longest: int) -> None:
        """Halve what is computed at once, from now on."""
        now = min(self.physical_tokens, documents * longest)
        if now < 2 * longest:
            raise GetTagsError(
                _("Memory does not hold even one document of {longest} tokens.", longest=longest),
                _(
                    "Use a smaller context_length or base model, or free memory. To see who uses it: {doctor}",
                    doctor=Command("doctor"),
                ),
            )
        self.physical_tokens = now // 2
        if self.device == "cuda":
            torch.cuda.empty_cache()

    def validate(self, rows: NDArray[np.int64], top_k: int) -> list[float]:
        """precision@1 ... precision@top_k on these documents; tags that are no labels count as missed."""
        own = rows[self._processes.rank :: self._processes.count]
        self._model.eval()

        def sums_of(part: NDArray[np.int64]) -> torch.Tensor:
            batch = self._documents.batch(part)
            with torch.inference_mode():
                scores = self._logits(self._model, batch, in_bf16=self._is_bf16).cpu().numpy()
            return torch.tensor(precision_at_k(batch.labels.numpy() > 0, scores, top_k), device=self.device) * len(part)

        sums = torch.zeros(top_k, dtype=torch.float64, device=self.device)
        for part in self._cores.map(sums_of, split_by_tokens(own, self._documents.lengths, self.physical_tokens)):
            sums += part
        self._processes.add_up([sums])
        return [float(total) / len(rows) for total in sums]

    def logits(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Logits in float32 and labels of these documents, in any order, by this process: (documents, labels) each."""
        self._model.eval()

        def judged(part: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
            batch = self._documents.batch(part)
            with torch.inference_mode():
                logits = self._logits(self._model, batch, in_bf16=False).cpu().numpy()
            return logits, batch.labels.numpy() > 0

        parts = self._cores.map(judged, split_by_tokens(rows, self._documents.lengths, self.physical_tokens))
        return np.concatenate([logits for logits, _ in parts]), np.concatenate([labels for _, labels in parts])

    def weights(self) -> dict[str, torch.Tensor]:
        """All that the model has learnt, by name; not a copy."""
        state: dict[str, torch.Tensor] = self._model.state_dict()
        return state

    def optimizer_state(self) -> dict[str, torch.Tensor]:
        """What the optimiser remembers of the gradients, by name; not a copy."""
        return {
            f"{moment}.{name}": self._optimizer.state[self._named[name]][moment]
            for name in self._names
            for moment in _MOMENTS
            if self._named[name] in self._optimizer.state
        }

    def load(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Take over the weights of a checkpoint."""
        self._model.load_state_dict(weights)

    def load_optimizer_state(self, moments: Mapping[str, torch.Tensor], steps: int) -> None:
        """Take over what the optimiser remembered after so many steps."""
        state = {
            place: {"step": torch.tensor(float(steps)), **{moment: moments[f"{moment}.{name}"] for moment in _MOMENTS}}
            for place, name in enumerate(self._names)
            if f"{_MOMENTS[0]}.{name}" in moments
        }
        self._optimizer.load_state_dict({"state": state, "param_groups": self._optimizer.state_dict()["param_groups"]})


def _share_weights(model: PreTrainedModel) -> PreTrainedModel:
    """The model again, of the same weights in the same memory, with gradients of its own."""
    shared = {id(own): torch.nn.Parameter(own.detach(), requires_grad=own.requires_grad) for own in model.parameters()}
    return copy.deepcopy(model, shared)


Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def bce(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Binary cross-entropy of each tag by itself, mean over the tags: (documents,)."""
    return binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=1)


def zlpr(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Every true tag above 0 and above every other, those below 0: (documents,); labels are 0 or 1.

    log(1 + sum of exp(-logit) over the true) + log(1 + sum of exp(logit) over the others), of Su et al., ZLPR: A Novel
    Loss for Multi-label Classification (2022).
    """
    zero = torch.zeros_like(logits[:, :1])
    true = torch.where(labels > 0, -logits, -torch.inf)
    others = torch.where(labels > 0, -torch.inf, logits)
    return torch.logsumexp(torch.cat([zero, true], 1), 1) + torch.logsumexp(torch.cat([zero, others], 1), 1)


LOSSES: dict[str, Loss] = {"bce": bce, "zlpr": zlpr}
