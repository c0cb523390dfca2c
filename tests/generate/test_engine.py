from __future__ import annotations

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

import mintage
from mintage.errors import MintageError
from mintage.generate.engine import Engine, PromptTooLong
from mintage.generate.sampling import Sampling, SamplingError
from mintage.model import huggingface
from mintage.model.transformer import Transformer
from tests.model.models import LAYOUTS

PROMPT = "Net sales of Acme rose"
QUESTION = [{"role": "user", "content": "What was cash flow?"}]
WILD = Sampling(max_tokens=30, temperature=1.5, top_p=0.95, seed=7)


def speaking(engine: Engine, tokens: list[int]) -> Engine:
    """An engine whose model says these tokens one after another, whatever it reads: it looks only at the
    position."""

    class Parrot(Transformer):
        def forward(self, tokens_BT, positions_BT=None, cache=None):
            start = cache.lengths[0]
            cache.advance(tokens_BT.shape[1])
            positions = torch.arange(start, start + tokens_BT.shape[1])
            return torch.stack([positions.float()] * self.config.hidden_size, -1)[None]

        def logits(self, hidden):
            number = int(hidden.flatten()[-1]) - offset
            return torch.eye(self.config.vocab_size)[tokens[min(number, len(tokens) - 1)]] * 9

    offset = len(engine.tokenizer.encode(PROMPT)) - 1
    return Engine(Parrot(engine.model.config), engine.tokenizer)


def test_greedy_tokens_are_those_of_transformers(engine, model_directory):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(model_directory)
    prompt = engine.tokenizer.encode(PROMPT)
    ends = engine.tokenizer.end_of_text_id
    for _ in range(4):
        generated = theirs.generate(
            torch.tensor([prompt]), max_new_tokens=20, do_sample=False, eos_token_id=ends,
            suppress_tokens=list(range(engine.tokenizer.vocab_size, engine.model.config.vocab_size)) or None,
        )[0].tolist()  # fmt: skip
        completion = engine.complete(prompt, Sampling(max_tokens=20))
        assert list(completion.token_ids) == generated[len(prompt) :]
        prompt = [*prompt[1:], 9]


def test_a_stream_joins_to_the_whole_completion(engine):
    for prompt in (PROMPT, QUESTION):
        deltas = list(engine.stream(prompt, WILD))
        whole = engine.complete(prompt, WILD)
        assert "".join(map(str, deltas)) == whole.text
        assert tuple(token for delta in deltas for token in delta.token_ids) == whole.token_ids
        assert [delta.finish_reason for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
        assert deltas[-1].finish_reason == whole.finish_reason
        assert whole.completion_tokens == len(whole.token_ids)


def test_a_text_is_what_its_tokens_decode_to(engine):
    completion = engine.complete(PROMPT, WILD)
    assert completion.text == engine.tokenizer.decode(completion.token_ids)
    assert "�" in completion.text  # random bytes: characters that never became whole are kept as such


def test_the_same_seed_gives_the_same_text_and_another_seed_another(engine):
    texts = [engine.generate(PROMPT, temperature=1.0, seed=seed) for seed in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]
    assert engine.generate(PROMPT, temperature=1.0) != engine.generate(PROMPT, temperature=1.0)


def test_a_stream_does_not_depend_on_others_beside_it(engine):
    alone = engine.complete(PROMPT, WILD).text
    others = [
        engine.stream(QUESTION, Sampling(max_tokens=9, temperature=1.0, seed=seed)) for seed in range(3)
    ]
    text = ""
    for delta in engine.stream(PROMPT, WILD):
        text += delta.text
        for other in others:
            next(other, None)
        torch.randn(10)
    assert text == alone


def test_several_threads_may_use_one_engine(engine):
    seeds = list(range(8))
    expected = [engine.generate(PROMPT, temperature=1.0, seed=seed, max_tokens=12) for seed in seeds]
    barrier = threading.Barrier(len(seeds))

    def generate(seed: int) -> str:
        barrier.wait()
        return engine.generate(PROMPT, temperature=1.0, seed=seed, max_tokens=12)

    with ThreadPoolExecutor(len(seeds)) as pool:
        assert list(pool.map(generate, seeds)) == expected


def test_a_batch_gives_what_each_prompt_gives_alone(engine):
    prompts = [PROMPT, QUESTION, "The", engine.tokenizer.encode("Cash flow from operations"), "", PROMPT * 2]
    prompts += [PROMPT[:length] for length in range(1, 20, 4)]
    for sampling in (
        Sampling(max_tokens=12),
        Sampling(max_tokens=8, temperature=1.0, seed=4, logprobs=1),
        Sampling(max_tokens=12, repetition_penalty=1.3, stop=("e", "a")),
        Sampling(max_tokens=100),
    ):
        batch = engine.complete_batch(prompts, sampling)
        for prompt, together in zip(prompts, batch):
            alone = engine.complete(prompt, sampling)
            assert together.text == alone.text
            assert together.token_ids == alone.token_ids
            assert together.finish_reason == alone.finish_reason
            assert together.prompt_tokens == alone.prompt_tokens
            if sampling.logprobs:
                ours = [logprob.logprob for logprob in together.logprobs]
                assert ours == pytest.approx([logprob.logprob for logprob in alone.logprobs], abs=1e-4)
    assert engine.complete_batch([], Sampling()) == []


def test_scores_are_the_log_softmax_of_an_uncached_forward(engine, model_directory):
    tokens = engine.tokenizer.encode(PROMPT + " 12% — naïve")
    model = huggingface.load(model_directory)
    with torch.no_grad():
        logprobs = model.logits(model(torch.tensor([tokens])))[0].double().log_softmax(-1)
    scores = engine.score(PROMPT + " 12% — naïve", top=3)
    assert [score.token_id for score in scores] == tokens
    assert scores[0].logprob is None
    for position, score in enumerate(scores[1:]):
        assert score.logprob == pytest.approx(float(logprobs[position, tokens[position + 1]]), abs=1e-5)
        best = logprobs[position, : engine.tokenizer.vocab_size].topk(3)
        assert [token for token, _ in score.top] == best.indices.tolist()
    assert engine.score(tokens, top=3) == scores
    assert engine.score("") == []


def test_logprobs_of_a_generation_are_the_scores_of_its_text(engine):
    prompt = engine.tokenizer.encode(PROMPT)
    completion = engine.complete(prompt, Sampling(max_tokens=10, logprobs=2))
    scores = engine.score(prompt + list(completion.token_ids), top=2)[len(prompt) :]
    for logprob, score in zip(completion.logprobs, scores, strict=True):
        assert logprob.token_id == score.token_id
        assert logprob.logprob == pytest.approx(score.logprob, abs=1e-4)
        assert [token for token, _ in logprob.top] == [token for token, _ in score.top]


def test_generation_ends_at_the_end_of_text_and_its_token_is_no_text(engine):
    tokenizer = engine.tokenizer
    said = tokenizer.encode(" rose 12%")
    completion = speaking(engine, [*said, tokenizer.end_of_text_id, *said]).complete(PROMPT)
    assert (completion.text, completion.finish_reason) == (" rose 12%", "stop")
    assert list(completion.token_ids) == [*said, tokenizer.end_of_text_id]


def test_the_end_of_a_turn_ends_a_chat_only(engine):
    tokenizer = engine.tokenizer
    parrot = speaking(engine, [tokenizer.end_of_turn_id])
    assert parrot.complete(PROMPT, Sampling(max_tokens=5)).finish_reason == "length"
    assert parrot.complete(QUESTION, Sampling(max_tokens=5)).completion_tokens == 1


def test_stop_strings_and_stop_tokens_end_the_text_and_are_not_in_it(engine):
    said = engine.tokenizer.encode(" rose to 1,234 million\nand then")
    parrot = speaking(engine, said)
    for stop, text in (
        (("\n",), " rose to 1,234 million"),
        (("zz", "234 m"), " rose to 1,"),
        ((" rose",), ""),
    ):
        deltas = list(parrot.stream(PROMPT, Sampling(stop=stop)))
        assert "".join(map(str, deltas)) == text
        assert deltas[-1].finish_reason == "stop"
    third = parrot.complete(PROMPT, Sampling(stop_token_ids=(said[2],)))
    assert third.text == engine.tokenizer.decode(said[:2])
    unfinished = parrot.complete(PROMPT, Sampling(max_tokens=2, stop=(engine.tokenizer.decode(said[:3]),)))
    assert unfinished.text == engine.tokenizer.decode(said[:2])  # what was held back is given at the end


def test_a_character_of_several_tokens_comes_whole(engine):
    euro = list("€".encode())
    ids = [engine.tokenizer.token_bytes.index(bytes([byte])) for byte in euro]
    deltas = list(speaking(engine, ids).stream(PROMPT, max_tokens=3))
    assert [delta.text for delta in deltas] == ["", "", "€"]


def test_generation_ends_where_the_context_ends(engine):
    prompt = [9] * (engine.context - 3)
    completion = engine.complete(prompt, Sampling(max_tokens=10))
    assert (completion.completion_tokens, completion.finish_reason) == (3, "length")


def test_a_prompt_that_leaves_no_room_is_refused_at_once(engine):
    for prompt in ([9] * engine.context, "word " * 100, [{"role": "user", "content": "word " * 100}]):
        for call in (engine.stream, engine.complete, engine.generate):
            with pytest.raises(PromptTooLong, match=f"context is {engine.context}"):
                call(prompt)
        with pytest.raises(PromptTooLong):
            engine.complete_batch([PROMPT, prompt], Sampling())
    with pytest.raises(PromptTooLong):
        engine.score([9] * (engine.context + 1))
    with pytest.raises(PromptTooLong):  # a single turn cannot be cut
        engine.generate([{"role": "user", "content": "word " * 100}], trim=True)


def test_trimming_keeps_the_end_of_a_text_and_room_for_the_answer(engine):
    tokens = [5 + number % 100 for number in range(200)]
    sampling = Sampling(max_tokens=4)
    assert engine.encode_prompt(tokens, sampling, trim=True) == tokens[-(engine.context - 4) :]
    long = engine.encode_prompt(tokens, Sampling(max_tokens=1000), trim=True)
    assert long == tokens[-(engine.context - engine.context // 4) :]
    fits = tokens[: engine.context - 1]
    assert engine.encode_prompt(fits, sampling, trim=True) == fits


def test_trimming_a_chat_drops_the_oldest_turns_and_keeps_the_system_message(engine):
    system = {"role": "system", "content": "Be short."}
    turns = []
    for number in range(12):
        turns += [
            {"role": "user", "content": f"Q {number}?"},
            {"role": "assistant", "content": f"A {number}."},
        ]
    chat = [system, *turns, {"role": "user", "content": "Last?"}]
    kept = engine.encode_prompt(chat, Sampling(max_tokens=8), trim=True)
    candidates = [
        engine.encode_prompt([system, *turns[2 * first :], chat[-1]], Sampling())
        for first in range(12, 8, -1)
    ]
    assert kept in candidates
    assert len(kept) <= engine.context - 8
    shorter = candidates.index(kept)
    assert len(engine.tokenizer.encode_chat([system, *turns[2 * (11 - shorter) :], chat[-1]], True)[0]) > (
        engine.context - 8
    )


def test_an_empty_prompt_begins_a_document(engine):
    assert engine.encode_prompt("", Sampling()) == [engine.tokenizer.end_of_text_id]


def test_control_tokens_in_a_prompt_are_text(engine):
    ids = engine.encode_prompt([{"role": "user", "content": "<|assistant|>"}], Sampling())
    assert sum(token < 6 for token in ids) == 3  # <|user|> ... <|end|> <|assistant|>


def test_wrong_prompts_and_settings_are_refused(engine):
    with pytest.raises(MintageError, match="token ids"):
        engine.generate([1, engine.tokenizer.vocab_size])
    with pytest.raises(SamplingError, match="temprature"):
        engine.generate(PROMPT, temprature=1.0)
    assert next(engine.stream(PROMPT, Sampling(max_tokens=5), max_tokens=1)).finish_reason == "length"
    with pytest.raises(MintageError, match="role"):
        engine.generate([{"role": "robot", "content": "hello"}])


def test_a_tokenizer_of_another_model_is_refused(engine):
    with pytest.raises(MintageError, match="do not belong together"):
        Engine(Transformer(LAYOUTS["qwen3 tied"]), engine.tokenizer)


def test_loading_names_the_model_after_its_directory(engine, model_directory, tmp_path):
    assert engine.model_id == "small"
    assert engine.card is None
    assert mintage.load(str(model_directory)).generate(PROMPT) == engine.generate(PROMPT)
    with pytest.raises(MintageError, match=r"no config\.json"):
        mintage.load(tmp_path)
    shutil.copytree(model_directory, tmp_path / "copy")
    (tmp_path / "copy" / "card.json").write_text("{")
    with pytest.raises(MintageError, match=r"card\.json: damaged"):
        mintage.load(tmp_path / "copy")


def test_closing_a_stream_ends_it(engine):
    stream = engine.stream(PROMPT, WILD)
    next(stream)
    stream.close()
    assert list(stream) == []
