"""One optimizer step on a batch of documents: the same result whatever number of micro-batches memory allows."""

import copy
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from get_tags_train.core.errors import GetTagsError
from get_tags_train.core.i18n import Command, _
from get_tags_train.core.settings import TrainingSettings
from get_tags_train.metrics.ranking import precision_at_k
from get_tags_train.model.cpu_threads import CpuThreads
from get_tags_train.model.device import choose_precision, is_out_of_memory
from get_tags_train.training.batches import Batch, Documents, split_by_tokens
from get_tags_train.training.cpu_kernels import has_plain_attention, seed_dropout, use_cpu_kernels
from get_tags_train.training.distributed import ProcessGroup
from get_tags_train.training.losses import LOSSES
from get_tags_train.training.optimizer import (
    load_optimizer_state,
    make_optimizer,
    optimizer_state,
    set_learning_rates,
)

# Tokens of a micro-batch, padding included, for each CPU thread or the GPU: enough to keep a GPU busy, few enough for
# a processor's caches.
_MICRO_BATCH_TOKENS = {"cpu": 1_024, "cuda": 65_536}
# Batches are as wide as a multiple of this: a processor keeps memory for each shape, and is faster where one returns.
_WIDTH_STEP = {"cpu": 32, "cuda": 1}
# torch starts with 65,536 and halves it each time a gradient overflows: below this, the training itself has diverged.
_MIN_LOSS_SCALE = 1.0
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}
_Result = TypeVar("_Result")


class StepResult(NamedTuple):
    """Mean loss and gradient norm of one optimizer step, and its tokens without and with the padding.

    is_skipped: an fp16 gradient overflowed; the weights stayed as they were, and the next step has a lower loss scale.
    """

    loss: float
    gradient_norm: float
    tokens: int
    computed_tokens: int
    is_skipped: bool = False

    @property
    def is_finite(self) -> bool:
        """Whether loss and gradient are numbers."""
        return math.isfinite(self.loss) and math.isfinite(self.gradient_norm)


class TrainingStep:
    """Takes optimizer steps. What a step does depends on the seed, its number and the state, nothing else."""

    def __init__(
        self,
        model: PreTrainedModel,
        documents: Documents,
        training: TrainingSettings,
        group: ProcessGroup,
        device: str,
    ) -> None:
        self.device = device
        self.micro_batch_tokens = self.max_micro_batch_tokens = _MICRO_BATCH_TOKENS[device]
        """What is computed at once; it shrinks when memory runs out."""
        self._model, self._documents, self._training, self._group = model, documents, training, group
        self._inference_tokens = self.micro_batch_tokens
        self._autocast_type = _AUTOCAST.get(choose_precision(training.precision, device))
        self._scaler = torch.amp.GradScaler(device, enabled=self._autocast_type == torch.float16)
        self._scaler.scale(torch.zeros(1, device=device))  # creates its state, before several threads would
        torch.nn.Module.to(model, device)
        can_split = device == "cpu" and has_plain_attention(model)
        if can_split:
            use_cpu_kernels(model, attention=self._autocast_type is not None)
        self._threads = CpuThreads(divides=can_split)
        self._replicas = [model, *(_share_weights(model) for _ in range(self._threads.count - 1))]
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._optimizer = make_optimizer(model, training)

    def step(self, number: int, rows: NDArray[np.int64], share: float) -> StepResult:
        """Take optimizer step `number` on these documents, at this share of the peak learning rates.

        Changes nothing where loss or gradient is not finite. Raises GetTagsError where memory does not hold one
        document.
        """
        result = self.gradient(number, rows)
        if result.is_finite:
            set_learning_rates(self._optimizer, share)
            self._optimizer.step()
            self._scaler.update()
        else:
            result = result._replace(is_skipped=self._lower_loss_scale())
        self.zero_grad()
        return result

    def _lower_loss_scale(self) -> bool:
        """Lower the loss scale if an fp16 gradient overflowed; whether another step is worth trying."""
        before = self._scaler.get_scale()
        self._scaler.update()
        return self._scaler.get_scale() < before and before > _MIN_LOSS_SCALE

    def gradient(self, number: int, rows: NDArray[np.int64]) -> StepResult:
        """Compute the gradient of the mean loss over these documents, summed over all processes, and clip it."""
        loss, computed_tokens = self.accumulate(number, rows)
        self._scaler.unscale_(self._optimizer)
        norm = torch.nn.utils.get_total_norm([p.grad for p in self._parameters if p.grad is not None])
        if self._training.max_grad_norm:
            torch.nn.utils.clip_grads_with_norm_(self._parameters, self._training.max_grad_norm, norm)
        # Read together: each reading waits until the GPU has computed everything before it.
        figures = torch.stack([loss, norm, computed_tokens]).tolist()
        return StepResult(figures[0], figures[1], int(self._documents.lengths[rows].sum()), int(figures[2]))

    def accumulate(self, number: int, rows: NDArray[np.int64]) -> torch.Tensor:
        """Sum the gradients of the mean loss over these documents, of all processes; (loss, computed tokens).

        In fp16 they are multiplied by the loss scale.
        """
        own = self._by_length(rows)[self._group.rank :: self._group.size]
        compute = partial(self._accumulate_own, number, own, len(rows))
        (loss, computed_tokens), self.micro_batch_tokens = self._within_memory(compute, own, self.micro_batch_tokens)
        totals = torch.stack([loss, torch.full_like(loss, computed_tokens)])
        if self._group.size > 1:
            for parameter in self._parameters:
                if parameter.grad is None:  # fewer documents than processes
                    parameter.grad = torch.zeros_like(parameter)
            self._group.sum([*(p.grad for p in self._parameters if p.grad is not None), totals])
        return totals

    def zero_grad(self) -> None:
        """Discard the gradient."""
        self._optimizer.zero_grad()

    def _by_length(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The documents, longest first: every n-th of them are an equal share of the work."""
        return rows[np.argsort(-self._documents.lengths[rows], kind="stable")]

    def _accumulate_own(
        self, number: int, rows: NDArray[np.int64], divisor: int, micro_batch_tokens: int
    ) -> tuple[torch.Tensor, int]:
        """Sum the gradients of this process's documents over its CPU threads; loss and computed tokens."""
        for replica in self._replicas:
            replica.zero_grad()

        def accumulate_share(place: int) -> tuple[torch.Tensor, int]:
            self._seed_dropout(number, place)
            own = rows[place :: len(self._replicas)]
            parts = split_by_tokens(own, self._documents.lengths, micro_batch_tokens)
            return self._backward(self._replicas[place].train(), parts, divisor)

        losses, computed_tokens = zip(*self._threads.map(accumulate_share, range(len(self._replicas))), strict=True)
        _sum_gradients(self._replicas)
        return torch.stack(losses).sum(), sum(computed_tokens)

    def _seed_dropout(self, number: int, place: int) -> None:
        seed = [self._training.seed, number, self._group.rank, place]
        seed_dropout(seed)
        if len(self._replicas) == 1:
            torch.manual_seed(int(np.random.SeedSequence(seed).generate_state(1)[0]))

    def _backward(
        self, model: PreTrainedModel, micro_batches: list[NDArray[np.int64]], divisor: int
    ) -> tuple[torch.Tensor, int]:
        """Add the gradients of these documents to the model's; their share of the mean loss, and computed tokens."""
        total, computed_tokens = torch.zeros((), device=self.device), 0
        for rows in micro_batches:
            batch = self._documents.batch(rows, _WIDTH_STEP[self.device])
            logits = self._logits(model, batch, self._autocast_type)
            labels = batch.labels.to(self.device, non_blocking=True)
            loss = LOSSES[self._training.loss](logits, labels).sum() / divisor
            self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
            total += loss.detach()
            computed_tokens += batch.input_ids.numel()
        return total, computed_tokens

    def _logits(self, model: PreTrainedModel, batch: Batch, autocast_type: torch.dtype | None = None) -> torch.Tensor:
        with torch.autocast(self.device, autocast_type, enabled=autocast_type is not None):
            logits: torch.Tensor = model(
                input_ids=batch.input_ids.to(self.device, non_blocking=True),
                attention_mask=batch.attention_mask.to(self.device, non_blocking=True),
            ).logits
        return logits.float()

    def validate(self, rows: NDArray[np.int64], top_k: int) -> list[float]:
        """precision@1 ... precision@top_k on these documents of all processes; tags without a label count as missed."""
        own = rows[self._group.rank :: self._group.size]
        sums = torch.zeros(top_k, dtype=torch.float64, device=self.device)
        if len(own):
            logits, labels = self.logits(own)
            sums += torch.tensor(precision_at_k(labels, logits, top_k), device=self.device) * len(own)
        self._group.sum([sums])
        return [total / len(rows) for total in sums.tolist()]

    def logits(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Logits in fp32 and labels of these documents, in their order, by this process: (documents, labels) each.

        Not in half precision, which turns close logits into ties.
        """
        self._model.eval()
        parts, self._inference_tokens = self._within_memory(partial(self._infer, rows), rows, self._inference_tokens)
        computed, logits, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
        place = np.argsort(computed)[np.argsort(np.argsort(rows))]
        return logits[place], labels[place]

    def _infer(
        self, rows: NDArray[np.int64], micro_batch_tokens: int
    ) -> list[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]]:
        def infer(part: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
            batch = self._documents.batch(part, _WIDTH_STEP[self.device])
            with torch.inference_mode():
                logits = self._logits(self._model, batch).cpu().numpy()
            return part, logits, batch.labels.numpy() > 0

        lengths, threads, sorted_rows = self._documents.lengths, self._threads.count, self._by_length(rows)
        shares = [sorted_rows[place::threads] for place in range(threads)]
        parts = [part for share in shares for part in split_by_tokens(share, lengths, micro_batch_tokens)]
        return self._threads.map(infer, parts)

    def _within_memory(
        self, compute: Callable[[int], _Result], rows: NDArray[np.int64], micro_batch_tokens: int
    ) -> tuple[_Result, int]:
        """The result of `compute` of micro-batch tokens, which are halved while memory runs out, and what they became.

        Raises GetTagsError where memory does not hold one document.
        """
        while (result := _unless_out_of_memory(compute, micro_batch_tokens)) is None:
            longest = int(self._documents.lengths[rows].max())
            attempted = min(micro_batch_tokens, longest * -(-len(rows) // self._threads.count))
            if attempted < 2 * longest:
                raise GetTagsError(
                    _("There is not enough memory for even one document of {longest} tokens.", longest=longest),
                    _(
                        "Use a smaller context_length or base model, or free memory. To see who uses it: {doctor}",
                        doctor=Command("doctor"),
                    ),
                )
            micro_batch_tokens = attempted // 2
            if self.device == "cuda":
                torch.cuda.empty_cache()
        return result, micro_batch_tokens

    def weights(self) -> dict[str, torch.Tensor]:
        """The model's weights by name; not a copy."""
        state: dict[str, torch.Tensor] = self._model.state_dict()
        return state

    def optimizer_state(self) -> dict[str, torch.Tensor]:
        """The optimizer's state by name, not a copy, and in fp16 the loss scale and the steps since it changed."""
        state = optimizer_state(self._optimizer)
        if self._scaler.is_enabled():
            saved = self._scaler.state_dict()
            state["loss_scale"] = torch.tensor([saved["scale"], saved["_growth_tracker"]], dtype=torch.float64)
        return state

    def load_weights(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Restore the weights of a checkpoint."""
        self._model.load_state_dict(weights)

    def load_optimizer_state(self, tensors: Mapping[str, torch.Tensor], steps: int) -> None:
        """Restore the optimizer's state after so many steps."""
        load_optimizer_state(self._optimizer, tensors, steps)
        if "loss_scale" in tensors:
            scale, steps_since = tensors["loss_scale"].tolist()
            saved = {**self._scaler.state_dict(), "scale": scale, "_growth_tracker": int(steps_since)}
            self._scaler.load_state_dict(saved)


def _unless_out_of_memory(compute: Callable[[int], _Result], micro_batch_tokens: int) -> _Result | None:
    """The result; None where memory ran out.

    A function of its own: the traceback of the failure, which holds the tensors of the attempt, goes when it returns.
    """
    try:
        return compute(micro_batch_tokens)
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        return None


def _share_weights(model: PreTrainedModel) -> PreTrainedModel:
    """A replica of the model with the same weights in the same memory and gradients of its own."""
    shared = {id(own): torch.nn.Parameter(own.detach(), requires_grad=own.requires_grad) for own in model.parameters()}
    return copy.deepcopy(model, shared)


def _sum_gradients(replicas: list[PreTrainedModel]) -> None:
    """Move the gradients of all replicas into the first one's, always in the same order."""
    for replica in replicas[1:]:
        for own, other in zip(replicas[0].parameters(), replica.parameters(), strict=True):
            if other.grad is not None:
                own.grad = other.grad if own.grad is None else own.grad.add_(other.grad)
                other.grad = None
