"""The recipes of the five systems and our own say what their sources say, and train on text of their kind."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from mintage import recipe
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.pipeline import stages
from mintage.recipe import Recipe
from mintage.tokens.adopt import adopt
from mintage.tokens.loader import documents
from mintage.tokens.tokenizer import Tokenizer
from mintage.workspace import Workspace
from tests.conftest import tiny_documents

# name: entries of the tokenizer, parameters as the source states them, tokens of the run, tokens of a step
STATED = {
    "tallyformer-51m": (50_260, 50_915_840, 13.0e9, 192 * 256),
    "elite-112m": (49_152, 112.1e6, 2.5e9, 128 * 2048),
    "earnings-gpt-10m": (262 + 100, 10.7e6, 5000 * 32 * 8, 32 * 8),
    "quant-gpt": (10_000, 29.7e6, 10 * 2177 * 16 * 256, 16 * 256),
    "quant-gpt-optimized": (50_257, 70.9e6, 10 * 2278 * 16 * 256, 16 * 256),
    "tenali-7b": (50_000, 6.9e9, 100e9, 4_194_304),
    "tenali-7b-500k-steps": (50_000, 6.9e9, 500_000 * 4_194_304, 4_194_304),
    "mintage-10m": (4_096, 10.4e6, 20 * 10.4e6, 65_536),
    "mintage-50m": (16_384, 50e6, 20 * 49.3e6, 262_144),
    "mintage-125m": (32_768, 125e6, 20 * 124.3e6, 524_288),
    "mintage-350m": (32_768, 350e6, 20 * 349.2e6, 1_048_576),
    "mintage-1b": (32_768, 1.0e9, 20 * 1014e6, 1_048_576),
}
# Special tokens of SmolLM2's tokenizer.
SMOLLM2 = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<repo_name>",
    "<reponame>",
    "<file_sep>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<jupyter_script>",
    "<empty_output>",
]
SMALL = [
    "model.num_hidden_layers=2",
    "model.hidden_size=64",
    "model.intermediate_size=128",
    "model.num_attention_heads=2",
    "model.head_dim=32",
    "pretrain.train.compile=false",
    "pretrain.train.precision=float32",
    "pretrain.train.threads=1",
    "evaluate.prompts=[]",
]


@pytest.mark.parametrize("name", STATED)
def test_a_recipe_has_the_size_and_the_length_that_its_source_states(name: str) -> None:
    loaded = recipe.load(name)
    vocabulary, parameters, tokens, step = STATED[name]
    assert loaded.model.with_vocabulary(vocabulary).parameter_count() == pytest.approx(parameters, rel=0.025)
    phases = loaded.pretrain.plan.phases
    assert sum(phase.steps * phase.batch * phase.context for phase in phases) == pytest.approx(
        tokens, rel=0.01
    )
    assert {phase.batch * phase.context for phase in phases} == {step}


def test_tenalis_mix_is_the_seeds() -> None:
    loaded = recipe.load("tenali-7b")
    mix = loaded.pretrain.plan.phases[0].mix
    assert loaded.corpus.refine and loaded.corpus.refine.mix
    shares = {
        component.name: sum(mix[source] for source in component.sources)
        for component in loaded.corpus.refine.mix.components
    }
    assert list(shares.values()) == [20, 15, 30, 10, 15, 10]
    assert all(
        component.weight == shares[component.name] for component in loaded.corpus.refine.mix.components
    )
    longer = recipe.load("tenali-7b-500k-steps")
    assert (longer.model, longer.corpus, longer.pretrain.plan.phases[0].mix) == (
        loaded.model,
        loaded.corpus,
        mix,
    )


def test_the_optimized_one_differs_from_the_plain_one_by_its_optimisations() -> None:
    plain, optimized = recipe.load("quant-gpt"), recipe.load("quant-gpt-optimized")
    assert (plain.model, plain.corpus) == (optimized.model, optimized.corpus)
    assert plain.pretrain.train.optimizer == optimized.pretrain.train.optimizer
    for switch in ("compile", "activation_checkpointing"):
        before, after = (getattr(one.pretrain.train, switch) for one in (plain, optimized))
        assert (before, after) == (False, True)


def trained(loaded: Recipe, folder: Path, until: str = "pretrain") -> dict[str, object]:
    """The figures of a recipe's model after its run."""
    return stages.run(loaded, Workspace(folder), until=until).figures


def phase(**more: object) -> str:
    return "pretrain.plan.phases=" + json.dumps([{"steps": 3, "context": 8, "batch": 4, **more}])


@pytest.fixture
def calls(shared_data: Path, tmp_path: Path) -> str:
    """The override that leaves the beginnings of 80 earnings calls at hand."""
    source = shared_data / "corpora" / "earnings_calls_2015_2018.jsonl.gz"
    with gzip.open(source, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in islice(lines, 80)]
    cut = [json.dumps({**row, "text": row["text"][:600]}) for row in rows]
    (tmp_path / "calls.jsonl").write_text("\n".join(cut), encoding="utf-8")
    return f"corpus.sources.0.files.path={tmp_path / 'calls.jsonl'}"


@pytest.mark.slow
def test_the_earnings_gpt_trains_in_its_original_form_and_is_measured(calls: str, tmp_path: Path) -> None:
    sets = [calls, "as_of=null", phase(batch=32), "pretrain.train.threads=1", "evaluate.prompts=[]"]
    loaded = recipe.load("earnings-gpt-10m", sets)
    figures = trained(loaded, tmp_path / "workspace", until="evaluate")
    score = figures["bits_per_byte"]["earnings_calls"]
    # Every character is counted, those that training never saw as their bytes, and the end of each text; bits
    # are divided by the bytes of the text, so that the measure does not depend on the tokenizer.
    tokenizer = Tokenizer.load(tmp_path / "workspace" / "tokenizers" / loaded.name)
    held_out = list(documents(tmp_path / "workspace" / "shards" / loaded.name, split="test", as_of=None))
    texts = [tokenizer.decode(document.ids.tolist()) for document in held_out]
    assert score["bytes"] == sum(len(text.encode()) for text in texts)
    assert score["tokens"] == sum(len(tokenizer.encode(text)) + 1 for text in texts)
    assert 2 < score["bits_per_byte"] < 9  # it has learned next to nothing: log2 of 384 entries is 8.6


@pytest.mark.slow
def test_our_own_trains_on_the_same_calls(calls: str, tmp_path: Path) -> None:
    loaded = recipe.load(
        "mintage-10m", ["corpus=earnings-10m", calls, "as_of=null", "tokens=3072", "pretrain.train.threads=1"]
    )
    figures = trained(loaded, tmp_path / "workspace")
    assert figures["tokens"] == 3072
    assert figures["parameters"] == pytest.approx(10e6, rel=0.1)


@pytest.mark.slow
def test_quantitative_text_at_hand_trains_the_plain_gpt(
    shared_data: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setenv("MINTAGE_SHARED_DATA", str(shared_data))
    prices = str(shared_data / "fixtures" / "markets" / "CALM-1d-no-bad-divs.csv")
    monkeypatch.setenv("MINTAGE_PRICES", prices)
    for name in ("quant-gpt", "quant-gpt-optimized"):
        monkeypatch.setenv("MINTAGE_GPT2_TOKENIZER", str(shared_data / "tokenizers" / "gpt2"))
        record = recipe.load(name)
        assert [type(source).__name__ for source in record.corpus.settings().sources] == [
            "EdgarSource", "MarketsSource", "PatternsSource"
        ]  # fmt: skip
        bars = json.dumps([{
            "markets": {
                "name": "market_bars", "path": prices, "columns": {"date": "Datetime"}, "licence": "test"
            }
        }])  # fmt: skip
        loaded = recipe.load(name, [*SMALL, f"corpus.sources={bars}", phase(), "model.num_key_value_heads=2"])
        assert trained(loaded, tmp_path / name)["steps"] == 3


@pytest.mark.slow
def test_tallyformer_and_elite_train_on_folders_of_their_data_sets(
    shared_data: Path, tmp_path: Path, monkeypatch
) -> None:
    texts = [row["text"] for row in tiny_documents(40)]
    rows = {
        "falcon-refinedweb": [
            {"content": text, "url": f"https://example.org/{n}", "timestamp": "2020-01-01"}
            for n, text in enumerate(texts)
        ],
        "peS2o": [
            {"text": text + " paper", "id": str(n), "created": "2020-01-01"} for n, text in enumerate(texts)
        ],
        "SlimPajama-627B": [
            {"text": text + " page", "meta": {"redpajama_set_name": "RedPajamaWikipedia"}} for text in texts
        ],
        "mixed-pretrain-3b": [{"text": text} for text in texts],
    }
    for folder, some in rows.items():
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in some))
    monkeypatch.setenv("MINTAGE_HUB_DATA", str(tmp_path))
    monkeypatch.setenv("MINTAGE_GPT2_TOKENIZER", str(shared_data / "tokenizers" / "gpt2"))
    mix = recipe.load("tallyformer-51m").pretrain.plan.phases[0].mix
    base = tmp_path / "gpt2"
    shape = ModelConfig(
        50_257, "gpt2", 128, 256, 3, 4, 4, 32, 32, hidden_act="gelu_new"
    )  # a GPT-2 to cut, larger in every direction
    stand_in = Transformer(shape)
    initialize(stand_in, 1)
    huggingface.save(stand_in, base)
    settings = recipe.load("tallyformer-51m").tokenizer
    adopt(settings, shared_data / "tokenizers" / "gpt2").save(base)
    tally = recipe.load(
        "tallyformer-51m",
        [*SMALL, "model.num_key_value_heads=2", phase(mix=mix), f"initialize.base={base}"],
    )
    figures = trained(tally, tmp_path / "tally")
    assert {row["source"]: row["share"] for row in figures["sources"]} == pytest.approx(
        {"refinedweb": 0.6, "pes2o": 0.15, "slimpajama": 0.25}, abs=0.15
    )
    assert Workspace(tmp_path / "tally").card("tokenizers", "tallyformer-51m").figures["vocab_size"] == 50_260

    made = tokenizers.Tokenizer(
        models.BPE(
            {token: n for n, token in enumerate([*SMOLLM2, *sorted(pre_tokenizers.ByteLevel.alphabet())])}, []
        )
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(SMOLLM2)
    (tmp_path / "smollm2").mkdir()
    made.save(str(tmp_path / "smollm2" / "tokenizer.json"))
    monkeypatch.setenv("MINTAGE_SMOLLM2_TOKENIZER", str(tmp_path / "smollm2"))
    elite = recipe.load("elite-112m", [*SMALL, "model.num_key_value_heads=1", phase(mix={"mixed": 1})])
    assert trained(elite, tmp_path / "elite")["steps"] == 3
    # The vocabulary stays as it is: the special tokens that nobody needs serve as ours.
    card = Workspace(tmp_path / "elite").card("tokenizers", "elite-112m")
    assert card.figures["vocab_size"] == made.get_vocab_size()


@pytest.mark.slow
def test_tenali_trains_on_a_text_of_each_kind(tmp_path: Path) -> None:
    loaded = recipe.load("tenali-7b")
    sources = []
    for number, name in enumerate(sorted(loaded.pretrain.plan.phases[0].mix)):
        path = tmp_path / f"{name}.jsonl"
        rows = [{**row, "text": f"{name} {row['text']}"} for row in tiny_documents(12 + number)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        sources.append({"files": {"name": name, "path": str(path), "licence": "CC0-1.0", "use": "ship"}})
    mix = loaded.pretrain.plan.phases[0].mix
    sets = [
        *SMALL,
        "model.num_key_value_heads=2",
        "tokenizer.vocab_size=400",
        f"corpus.sources={json.dumps(sources)}",
        phase(mix=mix, batch=50),
        "pretrain.train.micro_batch=10",
        "pretrain.plan.repetition_cap=null",
    ]
    figures = trained(recipe.load("tenali-7b", sets), tmp_path / "workspace")
    shares = {row["source"]: row["share"] for row in figures["sources"]}
    assert shares == pytest.approx({name: weight / 100 for name, weight in mix.items()}, abs=0.011)
