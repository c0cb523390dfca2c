"""`mintage scale`: a sweep over model sizes and token budgets on a recipe's corpus, and the law fitted to it.

Each run lies in `runs/scale-…` under the fingerprint of all that decides it: a sweep that was cut off goes
on, and one that is given more sizes or budgets makes the new runs only.
"""

from __future__ import annotations

import dataclasses
import json
import operator
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from mintage.errors import MintageError
from mintage.model import sizes as dial
from mintage.model.config import ModelConfig
from mintage.model.flops import flops_per_token
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.pipeline import scaling_plot, stages, training
from mintage.pipeline.artifacts import Made, fingerprint_of, make, plain
from mintage.pipeline.console import console, done
from mintage.pipeline.runs import clock, short
from mintage.recipe import Recipe, Stage
from mintage.tokens.loader import Loader
from mintage.tokens.plan import Plan, PlanSettings
from mintage.train import record, scaling
from mintage.train.scaling import Point
from mintage.workspace import Card, Workspace

FEWEST_STEPS = 20  # with fewer, a learning rate schedule has no shape
BEYOND = 10.0  # times the largest run: the budget that is answered where none is named
LAYERS_TO_WIDTH = 64
WIDTHS = (*range(16, 97, 16), *range(128, 193, 32), *range(256, 16385, 64))


@dataclass(frozen=True)
class Trial:
    """One run of the sweep before it is made."""

    size: str
    config: ModelConfig
    stage: Stage
    run_name: str

    @property
    def tokens(self) -> int:
        """Of the plan."""
        return sum(phase.steps * phase.batch * phase.context for phase in self.stage.plan.phases)

    @property
    def flops_per_token(self) -> int:
        """Of training, at the context of the sweep."""
        return flops_per_token(self.config, self.stage.plan.phases[0].context)


def scale(
    recipe: Recipe, workspace: Workspace, sizes: Sequence[str], budgets: Sequence[str], flops: float | None
) -> Card:
    """Make the runs that are missing, fit the law, and write `reports/<recipe>-scale`: scale.json, scale.png.

    Args:
        sizes: parameters, such as "300k" or "10m"; those of the dial are the dial's shapes.
        budgets: tokens of each size's runs, such as "2m".
        flops: the budget to answer for; None takes BEYOND times the largest run's.
    """
    with workspace.lock():
        corpus = stages.corpus(recipe, workspace, jobs=1)
        tokenizer = stages.tokenizer(recipe, workspace, corpus)
        shards = stages.shards(recipe, workspace, corpus, tokenizer, jobs=1)
        parents = (tokenizer, shards)
        trials = plan_trials(recipe, sizes, budgets, parents)
        rows = [run_trial(recipe, workspace, trial, parents) for trial in trials]
        print_rows(rows)
        points = [Point(row["parameters"], row["tokens"], row["flops"], row["bits_per_byte"]) for row in rows]
        budget = flops or BEYOND * max(point.flops for point in points)
        context = trials[0].stage.plan.phases[0].context
        vocabulary = tokenizer.figures["vocab_size"]

        def write(directory: Path) -> Made:
            figures, fit = conclusions(points, budget, work_per_token(vocabulary, context))
            (directory / "scale.json").write_text(json.dumps({"runs": rows, **figures}, indent=1))
            scaling_plot.draw(
                points, fit, work_per_token(vocabulary, context), budget, directory / "scale.png"
            )
            return Made(shards.knowledge_cutoff, shards.licence, figures)

        settings = {"runs": [trial.run_name for trial in trials], "flops": budget}
        name = f"{recipe.name}-scale"
        card, _ = make(workspace, "reports", name, settings=settings, parents=parents, write=write)
    print_conclusions(card.figures)
    console.print(f"picture: {workspace.path('reports', name) / 'scale.png'}", soft_wrap=True)
    largest = [trial.run_name for trial in trials if trial.size == trials[-1].size]
    return done(card, workspace, "runs", *largest)


def count(text: str) -> int:
    """A number such as 300k, 2.5m, 1b, or 4096."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([kmb]?)", text.strip().lower())
    if not found or not float(found[1]):
        raise MintageError(f"{text}: not a number; write it as 300k, 2.5m or 1b")
    return round(float(found[1]) * {"": 1, "k": 1e3, "m": 1e6, "b": 1e9}[found[2]])


@cache
def shape_of(parameters: int, vocabulary: int) -> ModelConfig:
    """The model of about so many parameters, embedding included: Qwen3 layout, tied, a layer for every 64 of
    width and at least two, heads of 16 to 64, inner width near 8/3. Nearest in ratio among WIDTHS."""

    def of_width(width: int) -> ModelConfig:
        head_dim = 16 if width <= 96 else 32 if width <= 192 else 64
        heads = width // head_dim
        return ModelConfig(
            hidden_size=width,
            intermediate_size=round(width * 8 / 3 / 16) * 16,
            num_hidden_layers=max(2, round(width / LAYERS_TO_WIDTH)),
            num_attention_heads=heads,
            num_key_value_heads=heads,
            head_dim=head_dim,
            max_position_embeddings=512,
        ).with_vocabulary(vocabulary)

    # Counts grow with the width, so the nearest one stands at a border that bisection finds.
    low, high = 0, len(WIDTHS) - 1
    while low < high:
        middle = (low + high) // 2
        if of_width(WIDTHS[middle]).parameter_count() < parameters:
            low = middle + 1
        else:
            high = middle
    near = [of_width(width) for width in WIDTHS[max(0, low - 1) : low + 1]]
    return min(near, key=lambda config: abs(np.log(config.parameter_count() / parameters)))


def work_per_token(vocabulary: int, context: int) -> Callable[[np.ndarray], np.ndarray]:
    """Training FLOPs per token as a function of the number of parameters, along the sweep's shapes."""
    shapes = [shape_of(round(size), vocabulary) for size in np.geomspace(1e4, 1e12, 161)]
    known = sorted({shape.parameter_count(): flops_per_token(shape, context) for shape in shapes}.items())
    log_n, log_c = np.log(np.array(known, float)).T

    def of(parameters: np.ndarray) -> np.ndarray:
        inside = np.interp(np.log(parameters), log_n, log_c)
        above = np.maximum(0, np.log(parameters) - log_n[-1])  # where the curve has long become a line
        return np.exp(inside + above)

    return of


def plan_trials(
    recipe: Recipe, sizes: Sequence[str], budgets: Sequence[str], parents: tuple[Card, ...]
) -> list[Trial]:
    """Every size with every budget, the cheapest first.

    Context, batch and mix are those of the recipe's last phase; the optimizer and the schedule are the
    recipe's, with AdamW's rate times the root of (the recipe's width / the width).

    Raises:
        MintageError: two sizes or budgets that come to the same run, or a budget of fewer than FEWEST_STEPS.
    """
    vocabulary = parents[0].figures["vocab_size"]
    phase = recipe.pretrain.plan.phases[-1]
    trials: dict[str, Trial] = {}
    for size in sizes:
        known = next((name for name in dial.SIZES if name == size.lower()), None)
        if known is not None:
            config = dataclasses.replace(dial.shape_of(known), initialization="standard")
            config = config.with_vocabulary(vocabulary)
        else:
            config = shape_of(count(size), vocabulary)
            if not 0.5 < config.parameter_count() / count(size) < 2:
                raise MintageError(
                    f"--sizes {size}: the nearest model has {config.parameter_count():,} parameters with a "
                    f"vocabulary of {vocabulary:,}; take another size or vocabulary"
                )
        config = dataclasses.replace(
            config, max_position_embeddings=max(phase.context, config.max_position_embeddings)
        )
        for budget in budgets:
            steps = round(count(budget) / (phase.batch * phase.context))
            if steps < FEWEST_STEPS:
                raise MintageError(
                    f"--tokens {budget}: {steps} steps of {phase.batch * phase.context:,} tokens; "
                    f"give at least {FEWEST_STEPS * phase.batch * phase.context:,}"
                )
            stage = Stage(
                PlanSettings(
                    phases=(dataclasses.replace(phase, steps=steps),),
                    seed=recipe.pretrain.plan.seed,
                    repetition_cap=dial.REPETITION_CAP,
                ),
                for_width(recipe, config.hidden_size, steps),
            )
            settings = {"model": plain(config), **training.stage_settings(recipe, stage)}
            key = fingerprint_of("scale", settings, parents)[:8]
            if key in trials:
                raise MintageError(
                    f"--sizes {size} --tokens {budget}: the same run as one before it "
                    f"({config.parameter_count():,} parameters, {steps:,} steps); leave one of the two out"
                )
            trials[key] = Trial(size, config, stage, f"scale-{recipe.name}-{size}-{budget}-{key}")
    return sorted(trials.values(), key=lambda trial: trial.tokens * trial.flops_per_token)


def for_width(recipe: Recipe, width: int, steps: int) -> Any:
    """The recipe's training settings for another width and length."""
    train = recipe.pretrain.train
    factor = (recipe.model.hidden_size / width) ** 0.5
    optimizer = dataclasses.replace(
        train.optimizer, learning_rate=float(f"{train.optimizer.learning_rate * factor:.3g}")
    )
    return dataclasses.replace(
        train,
        optimizer=optimizer,
        evaluate_every=None,
        checkpoint_every=max(1, steps // 5),
        keep_last=1,
        keep_every=None,
    )


def run_trial(
    recipe: Recipe, workspace: Workspace, trial: Trial, parents: tuple[Card, ...]
) -> dict[str, Any]:
    """Train a trial unless it is done; what it came to."""
    directory = workspace.path("runs", trial.run_name)
    run = record.read(directory)
    if run.state != "done" or not run.curve("bits_per_byte"):

        def start(loader: Loader, run_directory: Path) -> Transformer:
            model = Transformer(trial.config)
            initialize(model, trial.stage.train.seed)
            return model

        shards_directory = workspace.path("shards", parents[1].name)
        plan = Plan.kept(directory / "plans", shards_directory, trial.stage.plan, recipe.cutoff)
        console.print(f"[bold]{trial.run_name}[/bold]", soft_wrap=True)
        training.run_training(
            recipe, workspace, trial.stage, plan, parents, trial.run_name, start,
            recipe.evaluate.megabytes_per_source,
        )  # fmt: skip
        run = record.read(directory)
    if not run.curve("bits_per_byte"):
        raise MintageError(f"{recipe.name}: no held-out text to measure the runs on; give more documents")
    tokens, seconds, bits = run.curve("bits_per_byte")[-1]
    return {
        "run": run.name,
        "size": trial.size,
        "parameters": trial.config.parameter_count(),
        "width": trial.config.hidden_size,
        "layers": trial.config.num_hidden_layers,
        "tokens": tokens,
        "flops": tokens * trial.flops_per_token,
        "bits_per_byte": bits,
        "seconds": seconds,
    }


def conclusions(
    points: Sequence[Point], budget: float, work: Callable[[np.ndarray], np.ndarray]
) -> tuple[dict[str, Any], scaling.Fit]:
    """What the runs say, with the fit that says it.

    Raises:
        MintageError: too few runs for the law.
    """
    try:
        fit = scaling.fit(points)
    except ValueError as error:
        raise MintageError(f"{error}; name more --sizes or --tokens") from None
    best = scaling.optimum(fit.law, budget, work)
    # Each bootstrapped law's own optimum; its figures are cached, since several intervals read them.
    found = {law: scaling.optimum(law, budget, work) for law in fit.others}
    levels = sorted({point.flops for point in points})
    parabolas = [found_at for level in levels if (found_at := scaling.iso_flop(points, level))]
    law = fit.law
    return {
        "law": {**vars(law), "error": fit.error, "measure": "bits per byte"},
        "finds_irreducible_loss": fit.finds_floor,
        "intervals": {name: fit.interval(operator.attrgetter(name)) for name in vars(law)},
        "optimum": {
            **vars(best),
            "parameters_interval": fit.interval(lambda law: found[law].parameters),
            "tokens_interval": fit.interval(lambda law: found[law].tokens),
            "loss_interval": fit.interval(lambda law: found[law].loss),
            "times_the_largest_run": budget / max(point.flops for point in points),
        },
        "parameters_exponent": law.beta / (law.alpha + law.beta),
        "parameters_exponent_interval": fit.interval(lambda law: law.beta / (law.alpha + law.beta)),
        "iso_flop": [vars(at) for at in parabolas],
    }, fit


def print_rows(rows: Sequence[dict[str, Any]]) -> None:
    """The runs as a table, largest last."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("size", "parameters", "layers x width", "tokens", "FLOPs", "bits/byte", "time"):
        table.add_column(title, justify="left" if title == "size" else "right")
    for row in rows:
        table.add_row(
            row["size"],
            short(row["parameters"]),
            f"{row['layers']} x {row['width']}",
            short(row["tokens"]),
            f"{row['flops']:.2e}",
            f"{row['bits_per_byte']:.4f}",
            clock(row["seconds"]),
        )
    console.print(table)


def print_conclusions(figures: dict[str, Any]) -> None:
    """The law and its optimum in words."""
    for line in sentences(figures):
        console.print(line, soft_wrap=True)


def sentences(figures: dict[str, Any]) -> Iterator[str]:
    """The conclusions, a line each."""
    law, best = figures["law"], figures["optimum"]
    yield (
        f"bits per byte = {law['E']:.3f} + {law['A']:.3g} / N^{law['alpha']:.3f} + "
        f"{law['B']:.3g} / D^{law['beta']:.3f}   (root mean square error {law['error']:.2%})"
    )
    if not figures["finds_irreducible_loss"]:
        low, high = figures["intervals"]["E"]
        yield (
            f"E is {law['E']:.3f} (80% of bootstraps: {low:.3f} to {high:.3f}): the irreducible loss is not "
            "determined by these sizes and tokens; far beyond them loss stays above what the law says; add "
            "larger ones"
        )
    for name, of in (("alpha", "sizes"), ("beta", "tokens")):
        if not scaling.EXPONENTS[0] < law[name] < scaling.EXPONENTS[1]:
            yield f"{name} is at its bound: these runs do not say how loss falls with {of}; train longer"
    low, high = figures["parameters_exponent_interval"]
    yield (
        f"best size grows as FLOPs^{figures['parameters_exponent']:.2f}  "
        f"(80% of bootstraps: {low:.2f} to {high:.2f})"
    )

    def span(name: str) -> str:
        low, high = best[f"{name}_interval"]
        return f"{short(best[name])} ({short(low)} to {short(high)})"

    low, high = best["loss_interval"]
    yield (
        f"for {best['flops']:.2e} FLOPs, {best['times_the_largest_run']:.3g} times the largest run: "
        f"{span('parameters')} parameters, {span('tokens')} tokens, "
        f"{best['loss']:.3f} ({low:.3f} to {high:.3f}) bits per byte"
    )
    for at in figures["iso_flop"]:
        yield (
            f"IsoFLOP parabola at {at['flops']:.2e}: {short(at['parameters'])} parameters, "
            f"{short(at['tokens'])} tokens, {at['loss']:.3f} bits per byte"
        )
