"""The gradient stages: pretrain and tune, each one run of the training loop between the workspace's cards."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mintage.corpus.document import Message
from mintage.evaluate import bits_per_byte, ledger
from mintage.generate.engine import Engine, Prompt
from mintage.generate.sampling import Sampling
from mintage.model import huggingface
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.pipeline import bases
from mintage.pipeline.artifacts import Made, fingerprint_of, latest, make, plain, strictest, text_time
from mintage.pipeline.checks import check_model, check_shards, place_of
from mintage.pipeline.console import say
from mintage.pipeline.runs import short
from mintage.recipe import Recipe, Stage
from mintage.tokens.loader import DocumentTokens, Loader, documents
from mintage.tokens.plan import Plan
from mintage.tokens.tokenizer import Tokenizer
from mintage.train.loop import TrainResult, train
from mintage.train.parallel import current
from mintage.workspace import Card, Workspace

DEVELOPMENT_MEGABYTES = 0.02  # of text for each source, measured at every evaluation during training
SAMPLES, SAMPLE_TOKENS = 3, 32  # that the model writes at every evaluation during training
# Settings of a run that leave its weights alone: they may change under way, and make nothing anew.
WATCHING = ("trackers", "log_every", "evaluate_every", "checkpoint_every", "keep_last", "keep_every")


def pretrain(recipe: Recipe, workspace: Workspace, tokenizer_card: Card, shards_card: Card) -> Card:
    """Train fresh weights, or those of the base that the recipe names, on text."""
    config = recipe.model.with_vocabulary(tokenizer_card.figures["vocab_size"])
    name = recipe.name if recipe.tune is None else f"{recipe.name}-base"
    settings = {"model": plain(config), **stage_settings(recipe, recipe.pretrain)}
    base = bases.find(recipe, workspace)
    if base is not None:
        bases.require_same_tokens(base.directory, workspace.path("tokenizers", tokenizer_card.name))
        settings["initialize"] = base.decisive

    def start(loader: Loader, run_directory: Path) -> Transformer:
        if base is not None:
            return bases.start(base, config, loader, run_directory)
        model = Transformer(config)
        initialize(model, recipe.pretrain.train.seed)
        return model

    parents = (tokenizer_card, shards_card, *([base.card] if base and base.card else []))
    return gradient_stage(
        recipe, workspace, "pretrain", name, settings, recipe.pretrain, parents, start, base
    )


def tune(recipe: Recipe, workspace: Workspace, tokenizer_card: Card, shards_card: Card, base: Card) -> Card:
    """Go on from the base model on chats, with the loss on the answers: the same loop with other batches."""
    assert recipe.tune is not None
    directory = workspace.path("models", base.name)
    return gradient_stage(
        recipe,
        workspace,
        "tune",
        recipe.name,
        stage_settings(recipe, recipe.tune),
        recipe.tune,
        (tokenizer_card, shards_card, base),
        lambda loader, run_directory: huggingface.load(directory),
    )


def stage_settings(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """What decides a gradient stage besides its parents; how it is watched and kept does not."""
    settings = plain(stage)
    settings["train"] = {name: value for name, value in settings["train"].items() if name not in WATCHING}
    return {"as_of": text_time(recipe.cutoff), "examples": list(recipe.evaluate.examples), **settings}


def gradient_stage(
    recipe: Recipe,
    workspace: Workspace,
    stage_name: str,
    model_name: str,
    settings: dict[str, Any],
    stage: Stage,
    parents: tuple[Card, ...],
    start_model: Callable[[Loader, Path], Transformer],
    base: bases.Base | None = None,
) -> Card:
    """Train in `runs/`, where checkpoints make it resumable, and publish the last checkpoint in `models/`.

    `start_model` is given the loader and the run's directory. `base`: whose weights it begins with, where
    that is not one of `parents`.
    """
    start = time.monotonic()
    tokenizer_card, shards_card = parents[:2]
    shards_directory = workspace.path("shards", shards_card.name)
    fingerprint = fingerprint_of(stage_name, settings, parents)
    run_name = f"{recipe.name}-{stage_name}-{fingerprint[:8]}"
    processes = current()

    def learn() -> tuple[Plan, TrainResult]:
        plans = workspace.path("runs", run_name) / "plans"
        with place_of(stage_name):
            plan = Plan.kept(plans, shards_directory, stage.plan, recipe.cutoff)
            return plan, run_training(recipe, workspace, stage, plan, parents, run_name, start_model)

    if not processes.first:
        if processes.tell():  # the first one is about to train
            learn()
        published: Card = processes.tell()
        return published

    def write(target: Path) -> Made:
        plan, result = learn()
        shutil.copytree(
            result.checkpoint,
            target,
            dirs_exist_ok=True,
            ignore=shutil.ignore_patterns("resume", "state.json"),
        )
        leaves = list(plan.ledger)
        for parent in parents[2:]:
            leaves += ledger.read(workspace.path("models", parent.name) / ledger.LEDGER)
        root = ledger.write(leaves, target / ledger.LEDGER)
        examples = list(recipe.evaluate.examples)
        (target / "examples.json").write_text(json.dumps(examples, ensure_ascii=False, indent=1))
        figures = {
            "parameters": huggingface.read_config(target).parameter_count(),
            "steps": plan.steps,
            "tokens": result.tokens,
            "seconds": round(result.seconds, 1),
            "final_loss": result.final_loss,
            "run": run_name,
            "stage": stage_name,
            "plan_hash": plan.hash,
            "ledger_root": root,
            "ledger_documents": len(set(leaves)),
            "sources": plan.describe(),
        }
        used = {row["source"] for row in plan.describe()}
        sources = sources_of(workspace, shards_card, used, parents[2:], base)
        return Made(
            knowledge_cutoff=latest(
                [
                    text_time(plan.knowledge_cutoff),
                    *(parent.knowledge_cutoff for parent in (tokenizer_card, *parents[2:])),
                    *([base.knowledge_cutoff] if base else []),
                ]
            ),
            licence=licence_of(sources),
            figures=figures,
            sources=sources,
        )

    card, made = make(workspace, "models", model_name, settings=settings, parents=parents, write=write)
    if not made:
        processes.tell(False)
    processes.tell(card)
    figures = card.figures
    facts = f"{short(figures['parameters'])} parameters, {short(figures['tokens'])} tokens"
    return say(stage_name, card, made, time.monotonic() - start, facts)


def run_training(
    recipe: Recipe,
    workspace: Workspace,
    stage: Stage,
    plan: Plan,
    parents: tuple[Card, ...],
    run_name: str,
    start_model: Callable[[Loader, Path], Transformer],
    development_megabytes: float = DEVELOPMENT_MEGABYTES,
) -> TrainResult:
    """One run of the loop, with the development documents' bits per byte as its evaluation. Several processes
    begin it when the first one has found that all is as it must be."""
    tokenizer_card, shards_card = parents[:2]
    shards_directory = workspace.path("shards", shards_card.name)
    tokenizer_directory = workspace.path("tokenizers", tokenizer_card.name)
    loaded = Tokenizer.load(tokenizer_directory)
    loader, run_directory = Loader(shards_directory, plan), workspace.path("runs", run_name)
    processes, phases = current(), plan.settings.phases
    if processes.first:
        check_shards(shards_directory, loaded)
    model = start_model(loader, run_directory)
    if processes.first:
        check_model(model.config, loaded, phases)
        processes.tell(True)
    context = stage.plan.phases[-1].context
    mixed = {name for phase in plan.settings.phases for name in phase.mix}
    development = bits_per_byte.capped(
        (
            answers_only(document, loaded) if stage.plan.layout == "documents" else whole(document)
            for document in documents(shards_directory, split="development", as_of=recipe.cutoff)
            if document.source in mixed
        ),
        development_megabytes,
    )

    def evaluate(model: Transformer) -> dict[str, dict[str, float]]:
        return bits_per_byte.curve_figures(
            bits_per_byte.measure(model, development, context, loaded.end_of_text_id)
        )

    return train(
        model,
        loader,
        stage.train,
        run_directory,
        tokenizer_directory=tokenizer_directory,
        evaluate=evaluate if development else None,
        sample=sampler(recipe, stage, loaded),
        about={"recipe": recipe.name, "as_of": text_time(recipe.cutoff), "plan": plain(stage.plan)},
    )


def sampler(
    recipe: Recipe, stage: Stage, tokenizer: Tokenizer
) -> Callable[[Transformer], list[dict[str, str]]] | None:
    """What the model writes at an evaluation during training, the likeliest token each time: answers to the
    recipe's examples where chats are learned, else continuations of its prompts."""
    if stage.plan.layout == "documents" and recipe.evaluate.examples:
        shown = [f"{example}\n" for example in recipe.evaluate.examples[:SAMPLES]]
        prompts: list[Prompt] = [[Message(role="user", content=example[:-1])] for example in shown]
    else:
        shown = list(recipe.evaluate.prompts[:SAMPLES])
        prompts = [*shown]
    if not prompts:
        return None
    sampling = Sampling(max_tokens=SAMPLE_TOKENS)

    def sample(model: Transformer) -> list[dict[str, str]]:
        engine = Engine(model, tokenizer)
        written = [engine.complete(prompt, sampling, trim=True).text for prompt in prompts]
        return [{"prompt": prompt, "text": text} for prompt, text in zip(shown, written)]

    return sample


def whole(document: DocumentTokens) -> DocumentTokens:
    """The document with every token counted, as in windows of running text."""
    return dataclasses.replace(document, mask=None)


def answers_only(document: DocumentTokens, tokenizer: Tokenizer) -> DocumentTokens:
    """A chat measured by its answers, which are what tuning learns; a text as it is."""
    if document.mask is None:
        return document
    answers = tokenizer.decode(document.ids[document.mask.astype(bool)].tolist())
    return dataclasses.replace(document, bytes=max(1, len(answers.encode())))


def licence_of(sources: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The licences of the sources that a model learned from, and the strictest of their permissions."""
    return {
        "use": strictest([source["use"] for source in sources]),
        "licences": sorted({source["licence"] for source in sources}),
    }


def sources_of(
    workspace: Workspace,
    shards_card: Card,
    used: set[str],
    models: tuple[Card, ...],
    base: bases.Base | None,
) -> tuple[dict[str, Any], ...]:
    """The sources that a model and the models before it learned from, without their files, and weights from
    elsewhere, with theirs."""
    corpus_card = workspace.card("corpora", shards_card.name)
    assert corpus_card is not None
    known = {source["name"]: source for model in models for source in model.sources}
    known |= {source["name"]: source for source in corpus_card.sources if source["name"] in used}
    texts = {
        name: source if bases.is_weights(source) else {**source, "files": []}
        for name, source in known.items()
    }
    if base is not None and base.source is not None:
        texts[base.source["name"]] = base.source
    return tuple(source for _, source in sorted(texts.items()))
