"""What a training run may be told. Plain dataclasses; recipes validate their types, the checks here are
cross-field."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class OptimizerSettings:
    """AdamW for every parameter, or Muon for the matrices between the embedding and the head, and AdamW for
    the rest.

    Attributes:
        learning_rate: the peak rate of AdamW.
        muon_learning_rate: the peak rate of Muon; its updates are orthogonal, so it is a size relative to the
            matrix.
        weight_decay: decoupled, per unit of learning rate, on matrices only.
        muon_iterations: Newton-Schulz iterations; 5 brings every singular value near 1, 3 is enough for short
            runs.
    """

    name: Literal["adamw", "muon"] = "adamw"
    learning_rate: float = 3e-3
    betas: tuple[float, float] = (0.9, 0.95)
    epsilon: float = 1e-8
    weight_decay: float = 0.1
    muon_learning_rate: float = 0.02
    muon_momentum: float = 0.95
    muon_iterations: int = 5


@dataclass(frozen=True)
class ScheduleSettings:
    """How the learning rate moves over the run, in fractions of its steps and of its peak.

    "wsd" warms up, stays, and falls linearly over the last `decay_fraction`; "cosine" and "linear" fall over
    all that follows the warm-up. "onecycle" rises along a cosine from `initial_fraction` of the peak over the
    warm-up, and falls along another. All end at `final_fraction` of the peak.

    Attributes:
        warmup_steps: the length of the warm-up in steps, in place of `warmup_fraction`.
        decay_fraction: of "wsd" only.
        initial_fraction: of "onecycle" only; the others begin at one step of their warm-up.
    """

    name: Literal["wsd", "cosine", "linear", "onecycle"] = "wsd"
    warmup_fraction: float = 0.03
    decay_fraction: float = 0.3
    final_fraction: float = 0.0
    warmup_steps: int | None = None
    initial_fraction: float = 0.04

    def __post_init__(self) -> None:
        fractions = (self.warmup_fraction, self.decay_fraction, self.final_fraction, self.initial_fraction)
        if not all(0 <= fraction <= 1 for fraction in fractions):
            raise ValueError(
                "warmup_fraction, decay_fraction, final_fraction and initial_fraction lie between 0 and 1"
            )
        if self.warmup_steps is not None and self.warmup_steps < 0:
            raise ValueError(f"warmup_steps is {self.warmup_steps}; it cannot be negative")
        if (
            self.name == "wsd"
            and self.warmup_steps is None
            and self.warmup_fraction + self.decay_fraction > 1
        ):
            raise ValueError("warmup_fraction and decay_fraction exceed the run together; lower one of them")


@dataclass(frozen=True)
class TrainSettings:
    """One run of the training loop. The number of steps is the plan's.

    Attributes:
        gradient_clip: largest global gradient norm; 0 turns clipping off.
        z_loss: weight of the squared log-normaliser in the loss (PaLM used 1e-4); 0 turns it off.
        micro_batch: sequences per forward pass; None takes the whole batch at once. Lower it when memory runs
            out.
        compile: compile each block with torch.compile; pays on a GPU, and on a CPU only over long runs.
        activation_checkpointing: keep only each block's input and compute the rest again in the backward
            pass: a third more work, and memory for one block's activations instead of all.
        float8: multiply in float8 inside the blocks, through torchao; on GPUs from Ada and Hopper on, and
            faster for about 1B parameters and more.
        precision: "auto" is bfloat16 autocast on a GPU that multiplies it (Ampere and newer), else float32.
        spike_sigma: skip a step whose loss or gradient norm lies so many standard deviations above the mean
            of the last 128 steps; None skips none.
        deterministic: only kernels that give the same bits in every run; slower on a GPU, and without effect
            on a CPU, where all are.
        evaluate_every, checkpoint_every: steps; None does it at the end only.
        keep_last: newest checkpoints that are kept; keep_every: also keep those whose step is a multiple of
            it.
        log_every: steps per row of metrics.jsonl.
        threads: CPU threads; None leaves torch's choice.
        trackers: where the rows of metrics.jsonl go besides; see docs/watching.md.
    """

    optimizer: OptimizerSettings = field(default_factory=OptimizerSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    gradient_clip: float = 1.0
    z_loss: float = 0.0
    micro_batch: int | None = None
    compile: bool = False
    activation_checkpointing: bool = False
    float8: bool = False
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    spike_sigma: float | None = 6.0
    deterministic: bool = False
    evaluate_every: int | None = None
    checkpoint_every: int | None = None
    keep_last: int = 2
    keep_every: int | None = None
    log_every: int = 10
    seed: int = 0
    threads: int | None = None
    trackers: tuple[Literal["tensorboard", "wandb"], ...] = ()

    def __post_init__(self) -> None:
        counts = {
            "micro_batch": self.micro_batch,
            "evaluate_every": self.evaluate_every,
            "checkpoint_every": self.checkpoint_every,
            "keep_last": self.keep_last,
            "keep_every": self.keep_every,
            "log_every": self.log_every,
            "threads": self.threads,
        }
        for name, count in counts.items():
            if count is not None and count < 1:
                raise ValueError(f"{name} is {count}; it must be at least 1")
        if self.spike_sigma is not None and self.spike_sigma <= 0:
            raise ValueError(f"spike_sigma is {self.spike_sigma}; it must be above 0, or null")
