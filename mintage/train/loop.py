"""The one training loop. Stages differ by what the loader gives and by the objective."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer

from mintage.errors import MintageError
from mintage.model.transformer import Transformer
from mintage.train import checkpoint
from mintage.train.memory import keep_freed_memory
from mintage.train.monitor import Monitor
from mintage.train.objectives import next_token
from mintage.train.optimizers import build_optimizers, set_learning_rate, state_tensors
from mintage.train.schedules import learning_rate_factor
from mintage.train.settings import TrainSettings
from mintage.train.team import Team, rows_of
from mintage.workspace import explain_full_disk, json_sha256


class Batch(Protocol):
    """Rows of tokens, their next tokens, and which of these count."""

    inputs_BT: np.ndarray
    targets_BT: np.ndarray
    mask_BT: np.ndarray


class Plan(Protocol):
    """What fixes every batch of a run."""

    @property
    def hash(self) -> str: ...

    @property
    def steps(self) -> int: ...

    @property
    def ledger_root(self) -> str: ...

    @property
    def knowledge_cutoff(self) -> datetime | None: ...


class Loader(Protocol):
    """The batch of step s, s from 0, as a pure function of (plan, s)."""

    @property
    def plan(self) -> Plan: ...

    def prefetch(self, start: int, stop: int) -> Iterator[Any]:
        """The batches of steps start to stop - 1."""


# (model, a micro-batch, settings) -> (sum of losses over valid targets in nats, their number)
Objective = Callable[[Transformer, Batch, TrainSettings], tuple[Tensor, int]]


class Interrupted(MintageError):
    """Ctrl-C or SIGTERM came; the step was finished and a checkpoint written. `exit_code` is 130 or 143."""

    def __init__(self, signal_number: int, step: int, steps: int, path: Path):
        super().__init__(
            f"stopped after step {step:,} of {steps:,}; checkpoint: {path}. "
            "Run the same command again to go on"
        )
        self.exit_code = 128 + signal_number
        self.checkpoint = path


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        checkpoint: the last checkpoint, a complete Hugging Face directory.
        tokens: targets learned from; seconds: spent in training steps, evaluations and checkpoints left out.
        final_loss: mean of the last logged steps, in nats per token; None where no step was taken.
        evaluation: the last one.
        resumed_from: the step that this call went on from, or None.
    """

    checkpoint: Path
    step: int
    tokens: int
    seconds: float
    final_loss: float | None
    evaluation: dict[str, dict[str, float]] | None
    resumed_from: int | None


def train(
    model: Transformer,
    loader: Loader,
    settings: TrainSettings,
    run_directory: Path,
    *,
    tokenizer_directory: Path | None = None,
    evaluate: Callable[[Transformer], dict[str, dict[str, float]]] | None = None,
    sample: Callable[[Transformer], Any] | None = None,
    objective: Objective | None = None,
    progress: bool = True,
) -> TrainResult:
    """Train `model` in place over the loader's plan, or go on from the run directory's newest whole
    checkpoint.

    On the same machine and thread count a run that was cut off anywhere ends with the same bits as one that
    was not.

    Args:
        evaluate: held-out figures, e.g. {"bits_per_byte": {source: value}}; called every `evaluate_every`
            steps and at the end.
        sample: JSON values to keep beside each evaluation, e.g. texts the model writes.
        objective: next-token prediction unless given.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; the run can go on.
        MintageError: the directory holds a run of another plan or other settings, or the disk is full.
    """
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    device = next(model.parameters()).device
    if device.type == "cpu":
        keep_freed_memory()
    steps = loader.plan.steps
    optimizers = build_optimizers(model, settings.optimizer)
    window = torch.zeros(5, device=device)
    tensors = state_tensors(model, optimizers) | {"window": window, "random_state": torch.get_rng_state()}
    identity = {
        "plan_hash": loader.plan.hash,
        "settings_hash": json_sha256([arithmetic(settings), model.config.to_huggingface()]),
        "ledger_root": loader.plan.ledger_root,
        "knowledge_cutoff": loader.plan.knowledge_cutoff and str(loader.plan.knowledge_cutoff),
        "seed": settings.seed,
        "threads": torch.get_num_threads(),
    }
    messages: list[str] = []
    found = checkpoint.newest(run_directory, messages.append)
    step, tokens, seconds, path = 0, 0, 0.0, run_directory
    if found is not None:
        path, state = found
        messages += check_identity(path, state, identity)
        checkpoint.load(path, model, tensors)
        torch.set_rng_state(tensors["random_state"])
        step, tokens, seconds = state["step"], state["tokens"], state["seconds"]
        checkpoint.prune(run_directory, step, settings.keep_last, settings.keep_every)
        messages.append(f"{path}: going on after step {step:,} of {steps:,}")
    resumed_from = step if found else None
    team = Team(model, torch.get_num_threads() if device.type == "cpu" else 1)
    if settings.compile:
        team.compile()

    with (
        explain_full_disk(run_directory),
        Monitor(run_directory, step, steps, progress) as monitor,
        _stop_signals() as stop,
    ):
        for message in messages:
            monitor.say(message)

        def look() -> None:
            with _evaluation(model):
                if evaluate is not None:
                    monitor.record({"step": step, "evaluation": evaluate(model)})
                if sample is not None:
                    monitor.record({"step": step, "samples": sample(model)})
            monitor.draw(at_once=False)

        evaluation_is_due = bool(step) and _due(step, settings.evaluate_every, steps)
        if evaluate is not None and evaluation_is_due and not monitor.has_evaluation(step):
            look()  # the run was stopped between this step and its evaluation
        model.train()
        started, tokens_before = time.perf_counter(), tokens
        with contextlib.closing(loader.prefetch(step, steps)) as batches:  # type: ignore[type-var]  # a generator
            for batch in batches:
                factor = learning_rate_factor(step, steps, settings.schedule)
                tokens += take_step(team, optimizers, batch, settings, step, factor, window, objective)
                step += 1
                monitor.step_done(step)
                log = _due(step, settings.log_every, steps)
                look_now = _due(step, settings.evaluate_every, steps) and not stop.signals
                save = _due(step, settings.checkpoint_every, steps)
                if not (log or look_now or save or stop.signals):
                    continue
                if log:
                    row = log_row(step, window.tolist(), tokens, settings.optimizer.learning_rate * factor)
                    window.zero_()
                    now = time.perf_counter()
                    seconds += now - started
                    rate = (tokens - tokens_before) / (now - started)
                    started, tokens_before = now, tokens
                    monitor.record(row | {"tokens_per_second": round(rate, 1), "seconds": round(seconds, 3)})
                pause = time.perf_counter()
                if look_now:
                    look()
                    model.train()
                if save or stop.signals:
                    monitor.sync()
                    tensors["random_state"] = torch.get_rng_state()
                    elapsed = seconds + pause - started
                    progress_made = {"tokens": tokens, "seconds": elapsed}
                    state = identity | progress_made | {"settings": dataclasses.asdict(settings)}
                    path = checkpoint.save(run_directory, step, model, tensors, state, tokenizer_directory)
                    checkpoint.prune(run_directory, step, settings.keep_last, settings.keep_every)
                if stop.signals:
                    monitor.draw(at_once=True)
                    raise Interrupted(stop.signals[0], step, steps, path)
                started += time.perf_counter() - pause
        monitor.draw(at_once=True)
        loss, evaluation = monitor.last("loss"), monitor.last("evaluation")
        return TrainResult(path, step, tokens, seconds, loss, evaluation, resumed_from)


def take_step(
    team: Team,
    optimizers: list[Optimizer],
    batch: Batch,
    settings: TrainSettings,
    step: int,
    factor: float,
    window: Tensor,
    objective: Objective | None = None,
) -> int:
    """One optimizer step over a batch, micro-batch by micro-batch; returns the number of valid targets.

    Gradients are those of the summed loss, and are divided once, inside the optimizers, by the number of
    valid targets of the whole batch and by what clipping asks for. A step whose loss or gradient is not
    finite changes nothing. The device is never asked for a value; `window` (loss, tokens, gradient norm,
    steps taken, steps) is added to on it.
    """
    objective = objective or next_token.objective
    device = window.device

    def both_ways(model: Transformer, piece: Batch) -> tuple[Tensor, int]:
        if not piece.mask_BT.any():
            return torch.zeros((), device=device), 0
        with torch.autocast(device.type, torch.bfloat16, enabled=uses_bfloat16(settings, device)):
            loss, count = objective(model, piece, settings)
            loss.backward()
        return loss.detach(), count

    total = torch.zeros((), device=device)
    count = 0
    for index, micro_batch in enumerate(micro_batches(batch, settings.micro_batch)):
        seed = np.random.SeedSequence((settings.seed, step, index)).generate_state(1, np.uint64)[0]
        torch.manual_seed(int(seed))
        loss, valid = team.learn(both_ways, micro_batch)
        total += loss
        count += valid
    window[4] += 1
    if count == 0:
        return 0
    gradients = [parameter.grad for parameter in team.model.parameters() if parameter.grad is not None]
    norm = torch.nn.utils.get_total_norm(gradients, foreach=True) / count
    finite = torch.isfinite(norm) & torch.isfinite(total)
    scale = torch.full_like(norm, count, dtype=torch.float32)  # as torch's fused kernels read it
    if settings.gradient_clip:
        scale *= (norm / settings.gradient_clip).clamp_min(1)
    set_learning_rate(optimizers, factor)
    for optimizer in optimizers:
        vars(optimizer).update(grad_scale=scale, found_inf=(~finite).float())  # see optimizers.py
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    figures = torch.stack((total, torch.full_like(total, count), norm, torch.ones_like(total)))
    window[:4] += torch.where(finite, figures, torch.zeros_like(figures))
    return count


def micro_batches(batch: Batch, rows: int | None) -> Iterator[Any]:
    """A batch cut into pieces of at most `rows` rows."""
    total = len(batch.inputs_BT)
    for start in range(0, total, rows or total):
        yield rows_of(batch, start, start + (rows or total))


def log_row(step: int, window: list[float], tokens: int, learning_rate: float) -> dict[str, Any]:
    """The metrics of the steps since the last row: means over the steps that were taken."""
    loss, counted, norm, taken, seen = window
    row = {
        "step": step,
        "loss": round(loss / counted, 6) if counted else None,
        "learning_rate": learning_rate,
        "gradient_norm": round(norm / taken, 6) if taken else None,
        "tokens": tokens,
    }
    return row | ({"skipped": int(seen - taken)} if seen > taken else {})


def arithmetic(settings: TrainSettings) -> dict[str, Any]:
    """The settings that change a run's weights; a resumed run may differ in the others."""
    names = [
        "optimizer",
        "schedule",
        "gradient_clip",
        "z_loss",
        "micro_batch",
        "compile",
        "precision",
        "seed",
    ]
    values = dataclasses.asdict(settings)
    return {name: values[name] for name in names}


def check_identity(path: Path, state: dict[str, Any], identity: dict[str, Any]) -> list[str]:
    """Refuse to go on with another plan or other settings; say what else could change the bits."""
    differences = {"plan_hash": "another plan (documents, mix, steps)", "settings_hash": "other settings"}
    for name, what in differences.items():
        if state[name] != identity[name]:
            raise MintageError(
                f"{path}: this run was begun with {what}. Use the same ones, or train into another directory"
            )
    warnings = []
    if state["threads"] != identity["threads"]:
        warnings.append(
            f"warning: the run used {state['threads']} CPU threads and goes on with {identity['threads']}; "
            "the last bits of the weights will differ from those of an uncut run"
        )
    if state["versions"]["torch"] != torch.__version__:
        warnings.append(
            f"warning: the run used torch {state['versions']['torch']} and goes on with {torch.__version__}; "
            "the last bits of the weights can differ"
        )
    return warnings


def uses_bfloat16(settings: TrainSettings, device: torch.device) -> bool:
    """Whether products are taken in bfloat16 (weights and their updates stay in float32)."""
    return settings.precision == "bfloat16" or (settings.precision == "auto" and device.type == "cuda")


def _due(step: int, every: int | None, steps: int) -> bool:
    return step == steps or (every is not None and step % every == 0)


@contextlib.contextmanager
def _evaluation(model: Transformer) -> Iterator[None]:
    """Evaluation mode, no gradients, and no compilation of shapes that training does not use."""
    model.eval()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        yield
    model.train()


@dataclass
class _Stop:
    signals: list[int]


@contextlib.contextmanager
def _stop_signals() -> Iterator[_Stop]:
    """Note the first Ctrl-C or SIGTERM instead of dying of it; a second one acts as usual."""
    stop = _Stop([])
    if threading.current_thread() is not threading.main_thread():
        yield stop  # Python delivers signals to the main thread only
        return
    usual = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        stop.signals.append(number)
        for each, handler in usual.items():
            signal.signal(each, handler)

    for number in usual:
        signal.signal(number, note)
    try:
        yield stop
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
