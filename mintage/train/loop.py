"""The one training loop. Stages differ by what the loader gives and by the objective."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.transformer import Transformer
from mintage.train import checkpoint, guard
from mintage.train.float8 import convert_to_float8
from mintage.train.identity import Plan, check_identity, identity_of
from mintage.train.kernels import fastest_attention
from mintage.train.machine import explain_out_of_memory, prepare
from mintage.train.meter import Meter
from mintage.train.monitor import Monitor, Silent
from mintage.train.optimizers import build_optimizers, state_tensors
from mintage.train.parallel import current, give_rows_back, parallelize
from mintage.train.room import Room
from mintage.train.schedules import eased_share, learning_rate_factor
from mintage.train.settings import TrainSettings
from mintage.train.signals import Interrupted, stop_signals
from mintage.train.step import WINDOW, Objective, log_row, take_step
from mintage.train.team import Team
from mintage.workspace import explain_full_disk


class Loader(Protocol):
    """The batch of step s, s from 0, as a pure function of (plan, s)."""

    @property
    def plan(self) -> Plan: ...

    def batch(self, step: int) -> Any:
        """The batch of a step."""

    def prefetch(self, start: int, stop: int) -> Iterator[Any]:
        """The batches of steps start to stop - 1."""


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
    about: dict[str, Any] | None = None,
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
        about: JSON values to keep in run.json beside the settings, e.g. the recipe's name.

    Raises:
        Interrupted: Ctrl-C or SIGTERM; the run can go on.
        MintageError: the directory holds a run of another plan or other settings, the disk is full, or the
            steps are not finite any more.
    """
    processes = current()
    device = processes.device
    prepare(device, settings)
    steps = loader.plan.steps
    if settings.float8:
        convert_to_float8(model)
    team = Team(model, torch.get_num_threads() if device.type == "cpu" and processes.world == 1 else 1)
    if settings.activation_checkpointing:
        team.recompute()
    if settings.compile:
        team.compile()
    parallelize(model, processes)
    optimizers = build_optimizers(model, settings.optimizer)
    window, history_2S = torch.zeros(WINDOW, device=device), guard.new_history(device)
    tensors = state_tensors(model, optimizers)
    tensors |= {"window": window, "history": history_2S, "random_state": torch.get_rng_state()}
    identity = identity_of(loader.plan, settings, processes.world)
    found, messages = find_checkpoint(run_directory, model.config, identity, settings)
    step, tokens, seconds, lost = 0, 0, 0.0, 0
    if found is not None:
        path, state = found
        checkpoint.load(path, model, tensors)
        torch.set_rng_state(tensors["random_state"])
        step, tokens, seconds = state["step"], state["tokens"], state["seconds"]
        messages.append(f"{path}: going on after step {step:,} of {steps:,}")
    team.ease(eased_share(step, steps))
    meter = Meter(model, processes.world)
    facts = meter.facts() | {
        "plan_hash": loader.plan.hash,
        "settings": dataclasses.asdict(settings),
        "model": model.config.to_huggingface(),
        **(about or {}),
    }
    watch = partial(Monitor, run_directory, step, steps, progress, facts, settings.trackers)

    with (
        explain_full_disk(run_directory),
        fastest_attention(model, lambda: loader.batch(min(step, steps - 1)), settings, messages.append),
        watch() if processes.first else Silent() as monitor,
        checkpoint.Writer(run_directory, settings.keep_last, settings.keep_every) as writer,
        stop_signals(patient=processes.world > 1) as stop,
    ):
        writer.newest = found and found[0]
        room = Room(run_directory, writer, stop, monitor.say)
        for message in messages:
            monitor.say(message)

        def record(row: dict[str, Any]) -> None:
            room.write(partial(monitor.record, row), again=monitor.flush)

        def look() -> None:
            torch.manual_seed(settings.seed + step)  # all processes draw the same samples
            with _evaluation(model):
                if evaluate is not None:
                    record({"step": step, "evaluation": evaluate(model)})
                if sample is not None:
                    record({"step": step, "samples": sample(model)})
            room.write(partial(monitor.draw, at_once=False))

        evaluation_is_due = step > 0 and (evaluate or sample) and _due(step, settings.evaluate_every, steps)
        if processes.tell(evaluation_is_due and not monitor.has_evaluation(step)):
            look()  # the run was stopped between this step and its evaluation
        model.train()
        started = time.perf_counter()
        with contextlib.closing(loader.prefetch(step, steps)) as batches:  # type: ignore[type-var]  # a generator
            for batch in batches:
                factor = learning_rate_factor(step, steps, settings.schedule)
                with explain_out_of_memory(model.config, settings, batch, step, processes):
                    learned = take_step(
                        team, optimizers, batch, settings, step, factor, window, objective, history_2S
                    )
                meter.add(batch.inputs_BT, learned)
                tokens += learned
                step += 1
                team.ease(eased_share(step, steps))
                monitor.step_done(step)
                signal, short = processes.highest(stop.signal, room.is_short())
                log = _due(step, settings.log_every, steps)
                look_now = _due(step, settings.evaluate_every, steps) and not signal
                save = _due(step, settings.checkpoint_every, steps) or signal
                if not (log or look_now or save or short):
                    continue
                if log:
                    row = log_row(step, window.tolist(), tokens, settings.optimizer.learning_rate * factor)
                    window.zero_()
                    now = time.perf_counter()
                    seconds += now - started
                    record(row | meter.read(now - started) | {"seconds": round(seconds, 3)})
                    lost = guard.lost_steps(lost, row, steps)
                    started = now
                pause = time.perf_counter()
                if look_now:
                    look()
                    (signal,) = processes.highest(stop.signal)
                    save = save or signal
                if not signal and (short or save):  # one checkpoint is written at a time
                    signal = room.wait()
                if save:
                    room.write(monitor.sync)
                    tensors["random_state"] = torch.get_rng_state()
                    progress_made = {"tokens": tokens, "seconds": seconds + pause - started}
                    state = identity | progress_made | {"settings": dataclasses.asdict(settings)}
                    if room.checkpoint_is_whole():
                        moment = checkpoint.snapshot(step, model, tensors, state, tokenizer_directory)
                        writer.begin(moment)
                if step == steps and not signal:
                    signal = room.wait()
                if signal:
                    room.checkpoint_is_whole()
                    room.write(partial(monitor.draw, at_once=True))
                    raise Interrupted(signal, step, steps, writer.newest)
                started += time.perf_counter() - pause
        monitor.draw(at_once=True)
        loss, evaluation = monitor.last("loss"), monitor.last("evaluation")
        resumed_from = found and found[1]["step"]
        assert writer.newest is not None
        return TrainResult(writer.newest, step, tokens, seconds, loss, evaluation, resumed_from)


def find_checkpoint(
    run_directory: Path, config: ModelConfig, identity: dict[str, Any], settings: TrainSettings
) -> tuple[tuple[Path, dict[str, Any]] | None, list[str]]:
    """The newest whole checkpoint with its state, looked for by the first process for all, and what is to be
    said about it.

    Raises:
        MintageError: it is of another run.
    """
    processes = current()
    messages: list[str] = []
    found = None
    if processes.first:
        found = checkpoint.newest(run_directory, messages.append)
        if found is not None:
            huggingface.check_model(found[0], config)
            messages += check_identity(*found, identity)
            checkpoint.prune(run_directory, found[1]["step"], settings.keep_last, settings.keep_every)
    return processes.tell(found), messages


def _due(step: int, every: int | None, steps: int) -> bool:
    return step == steps or (every is not None and step % every == 0)


@contextlib.contextmanager
def _evaluation(model: Transformer) -> Iterator[None]:
    """Evaluation mode, no gradients, and no compilation of shapes that training does not use."""
    model.eval()
    with torch.no_grad(), torch.compiler.set_stance("force_eager"):
        yield
    give_rows_back(model)
    model.train()
