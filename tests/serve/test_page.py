"""The chat page in headless Chromium, on the real server and a model that knows two answers by heart."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from mintage.generate.engine import Engine, load
from mintage.generate.sampling import Sampling
from mintage.model import huggingface
from mintage.model.config import ModelConfig
from mintage.model.initialize import initialize
from mintage.model.transformer import Transformer
from mintage.serve.app import create_app
from mintage.serve.card import ModelCard
from mintage.serve.run import running
from mintage.tokens.tokenizer import TokenizerSettings, train

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect
expect.set_options(timeout=20_000)  # milliseconds: other work may keep the machine busy

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=f"none of {', '.join(BROWSERS)} is on PATH")
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]

TABLE_QUESTION = "Figures of Acme, in millions:\nrevenue 2018: 1,187\nrevenue 2019: 1,234\nShow them."
TABLE = "| Year | Revenue |\n|---|---|\n| 2018 | 1,187 |\n| 2019 | 1,234 |"
TABLE_ANSWER = f"The **revenue** of Acme:\n\n{TABLE}\n\nIt rose."
ENDLESS_QUESTION = "Say it again and again."
ENDLESS_ANSWER = "Costs fell and margins rose. " * 12
CUTOFF = "2019-12-31"
CONTEXT = 16_384  # whose end an endless answer does not reach while a busy browser looks at it


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A model that knows one answer with an end and one without."""
    directory = tmp_path_factory.mktemp("model") / "acme"
    texts = [TABLE_QUESTION, TABLE_ANSWER, ENDLESS_QUESTION, ENDLESS_ANSWER]
    tokenizer = train(TokenizerSettings(vocab_size=320), iter(texts * 4))
    tokenizer.save(directory.parent / "tokenizer")
    config = ModelConfig(
        vocab_size=tokenizer.vocab_size,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=CONTEXT,
    )
    model = Transformer(config.with_vocabulary(tokenizer.vocab_size))
    initialize(model, seed=1)

    def chat(question: str, answer: str) -> list[int]:
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        return tokenizer.encode_chat(messages)[0]

    endless = chat(ENDLESS_QUESTION, ENDLESS_ANSWER)
    without_end = endless[: endless.index(tokenizer.end_of_turn_id, len(endless) // 2)]
    chats_BT = [torch.tensor([ids]) for ids in (chat(TABLE_QUESTION, TABLE_ANSWER), without_end)]
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(120):
        loss = sum(
            torch.nn.functional.cross_entropy(model.logits(model(ids_BT[:, :-1]))[0], ids_BT[0, 1:])
            for ids_BT in chats_BT
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    huggingface.save(model, directory, directory.parent / "tokenizer")
    return load(directory)


@pytest.fixture(scope="module")
def card(engine: Engine) -> ModelCard:
    """The card that the page shows."""
    return ModelCard(
        id=engine.model_id,
        created=0,
        context=CONTEXT,
        parameters=engine.model.config.parameter_count(),
        knowledge_cutoff=f"{CUTOFF}T23:59:59Z",
        licence="CC0-1.0; use: ship",
        sources=(
            {"name": "acme_filings", "documents": 1204, "licence": "CC0-1.0", "use": "ship"},
            {"name": "acme_calls", "documents": 31, "licence": "CC-BY-4.0", "use": "ship"},
        ),
        figures={
            "bits_per_byte": {"acme_filings": 0.91234},
            "sources": [{"source": "acme_calls", "tokens": 9876}],
        },
        examples=({"title": "Show a table", "prompt": TABLE_QUESTION}, ENDLESS_QUESTION),
    )


@pytest.fixture(scope="module")
def address(engine: Engine, card: ModelCard) -> Iterator[str]:
    """Where the server answers."""
    with running(create_app(engine, card)) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """One browser for all tests; each test has its own storage."""
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """A page in the browser and what happened on it."""

    page: Any
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    chats: list[dict[str, Any]] = field(default_factory=list)

    def question(self) -> Any:
        return self.page.get_by_label("Your question")

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def answer(self) -> Any:
        return self.page.locator(".answer .prose").last

    def ask(self, question: str) -> None:
        self.question().fill(question)
        expect(self.button("Send")).to_be_enabled()
        self.question().press("Enter")

    def ask_endless(self) -> None:
        """Ask what is answered until the context is full, and wait for the first words."""
        self.button("Sampling").click()
        self.set("Longest answer, exact value", str(CONTEXT))
        self.ask(ENDLESS_QUESTION)
        expect(self.answer()).to_contain_text("margins rose. Costs fell")

    def wait_for_end(self) -> None:
        expect(self.page.get_by_role("status")).to_have_text("Answer ended")

    def set(self, label: str, value: str) -> None:
        self.page.get_by_label(label, exact=True).fill(value)


@pytest.fixture
def open_page(chromium: Any, address: str) -> Iterator[Any]:
    """Opens the page; options go to the browser context (colour scheme, size of the screen)."""
    contexts = []

    def open_page(url: str = address, **options: Any) -> Visit:
        context = chromium.new_context(**options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        visit = Visit(context.new_page())
        visit.page.on("console", lambda message: visit.console.append(message.text))
        visit.page.on("pageerror", lambda error: visit.console.append(str(error)))

        def note(request: Any) -> None:
            visit.requests.append(request.url)
            if request.url.endswith("/chat/completions"):
                visit.chats.append(request.post_data_json)

        visit.page.on("request", note)
        visit.page.goto(url)
        return visit

    yield open_page
    for context in contexts:
        context.close()


def test_the_page_and_an_answer_cause_no_console_message_and_no_request_elsewhere(open_page, address):
    visit = open_page()
    visit.page.get_by_role("button", name="Show a table").click()
    visit.wait_for_end()
    assert visit.console == []
    assert len(visit.requests) >= 6
    assert all(url.startswith(f"{address}/") for url in visit.requests)


def test_an_answer_is_what_the_engine_says_with_a_table_and_its_token_counts(open_page, engine):
    visit = open_page()
    visit.ask(TABLE_QUESTION)
    visit.wait_for_end()
    truth = engine.complete([{"role": "user", "content": TABLE_QUESTION}], Sampling(max_tokens=256))
    assert truth.text.strip() == TABLE_ANSWER  # what the model learned
    table = visit.answer().locator("table")
    expect(table.locator("th")).to_have_text(["Year", "Revenue"])
    expect(table.locator("td")).to_have_text(["2018", "1,187", "2019", "1,234"])
    expect(visit.answer().locator("strong")).to_have_text("revenue")
    expect(visit.answer().locator("p")).to_have_text(["The revenue of Acme:", "It rose."])
    counts = f"{truth.completion_tokens} tokens after a prompt of {truth.prompt_tokens} · "
    expect(visit.page.locator(".usage")).to_contain_text(counts)
    expect(visit.page.locator(".usage")).to_contain_text("tokens/s")
    expect(visit.page.locator(".question-text")).to_have_text(TABLE_QUESTION)


def test_text_arrives_in_pieces_and_stop_keeps_what_there_is_and_frees_the_engine(open_page, address):
    visit = open_page()
    visit.ask_endless()
    early = visit.answer().inner_text()
    expect(visit.answer()).not_to_have_text(early)
    expect(visit.page.get_by_role("status")).to_have_text("Answering")
    visit.button("Stop").click()
    expect(visit.page.locator(".usage")).to_have_text("stopped")
    kept = visit.answer().inner_text()
    assert kept.startswith(early.rstrip())
    expect(visit.question()).to_be_focused()
    visit.page.wait_for_function(
        "async () => { const health = await (await fetch('/health')).json(); return health.active === 0 }"
    )
    assert visit.answer().inner_text() == kept
    assert visit.console == []


def test_retry_asks_the_same_again_and_puts_the_new_answer_in_the_place_of_the_old(open_page):
    visit = open_page()
    visit.ask(TABLE_QUESTION)
    visit.wait_for_end()
    with visit.page.expect_request_finished(lambda request: request.method == "POST"):
        visit.button("Retry").click()
    visit.wait_for_end()
    expect(visit.answer().locator("td")).to_have_text(["2018", "1,187", "2019", "1,234"])
    assert len(visit.chats) == 2
    assert visit.chats[0] == visit.chats[1]
    expect(visit.page.locator(".turn")).to_have_count(1)


def test_an_edited_question_replaces_the_last_turn(open_page):
    visit = open_page()
    visit.ask("Shwo them.")
    visit.wait_for_end()
    visit.button("Edit question").click()
    visit.page.get_by_label("Edited question").fill(TABLE_QUESTION)
    visit.button("Send again").click()
    expect(visit.answer().locator("table")).to_have_count(1)
    expect(visit.page.locator(".question-text")).to_have_text([TABLE_QUESTION])


def test_only_changed_sampling_fields_reach_the_request_and_a_reset_takes_them_back(open_page, engine):
    visit = open_page()
    question = {"role": "user", "content": TABLE_QUESTION}
    plain = {
        "model": engine.model_id,
        "messages": [question],
        "temperature": 0,
        "max_tokens": 256,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    visit.ask(TABLE_QUESTION)
    visit.wait_for_end()
    visit.button("Sampling").click()
    visit.set("Temperature, exact value", "0.7")
    visit.set("Top p, exact value", "0.9")
    visit.set("Top k, exact value", "40")
    visit.set("Repetition penalty, exact value", "1.1")
    visit.page.get_by_label("Min p", exact=True).press("ArrowRight")  # the slider's own step
    visit.set("Longest answer, exact value", "5")
    visit.set("Seed", "11")
    visit.set("System prompt", "Be brief.")
    visit.ask(TABLE_QUESTION)
    expect(visit.page.locator(".usage").last).to_contain_text("cut at the length limit")
    visit.button("Reset to defaults").click()
    visit.ask(TABLE_QUESTION)
    expect(visit.page.locator(".usage")).to_have_count(3)
    changed = {"temperature": 0.7, "top_p": 0.9, "top_k": 40, "min_p": 0.01, "repetition_penalty": 1.1}
    changed |= {"seed": 11}
    system = {"role": "system", "content": "Be brief."}
    assert visit.chats == [plain, plain | changed | {"max_tokens": 5, "messages": [system, question]}, plain]


def test_earlier_turns_are_sent_when_asked_for(open_page):
    visit = open_page()
    visit.button("Sampling").click()
    visit.page.get_by_label("Send earlier turns").check()
    visit.ask(TABLE_QUESTION)
    visit.wait_for_end()
    visit.ask("And now?")
    expect(visit.page.locator(".usage")).to_have_count(2)
    assert [message["role"] for message in visit.chats[1]["messages"]] == ["user", "assistant", "user"]
    assert visit.chats[1]["messages"][1]["content"].strip() == TABLE_ANSWER


def test_markup_in_an_answer_stays_text_and_dangerous_links_are_no_links(open_page):
    visit = open_page()
    links = "![a](http://192.0.2.1/a.png) [b](javascript:alert(2)) [c](https://example.com)"
    answer = f"<img src=x onerror=alert(1)> {links}"
    chunk = json.dumps({"choices": [{"index": 0, "delta": {"content": answer}, "finish_reason": "stop"}]})
    body = f"data: {chunk}\n\ndata: [DONE]\n\n"
    headers = {"content-type": "text/event-stream"}
    visit.page.route("**/chat/completions", lambda route: route.fulfill(body=body, headers=headers))
    visit.ask("Break out.")
    expect(visit.answer()).to_have_text("<img src=x onerror=alert(1)> a b c")
    expect(visit.answer().locator("img")).to_have_count(0)
    addresses = visit.answer().locator("a").evaluate_all("links => links.map(link => link.href)")
    assert addresses == ["https://example.com/"]
    assert visit.console == []


def test_a_reload_keeps_the_conversation_even_in_mid_answer_and_a_new_chat_ends_it(open_page):
    visit = open_page()
    visit.ask(TABLE_QUESTION)
    visit.wait_for_end()
    assert "It rose." in visit.page.evaluate("sessionStorage.getItem('mintage.turns')")
    visit.ask_endless()
    visit.page.reload()
    expect(visit.page.locator(".question-text")).to_have_text([TABLE_QUESTION, ENDLESS_QUESTION])
    expect(visit.page.locator(".answer").first.locator("td")).to_have_count(4)
    expect(visit.answer()).to_contain_text("margins rose. Costs fell")
    expect(visit.page.locator(".usage").last).to_have_text("stopped")
    visit.button("New chat").click()
    expect(visit.page.locator(".turn")).to_have_count(0)
    visit.page.reload()
    expect(visit.page.get_by_role("heading", name="What would you like to know?")).to_be_visible()


def test_the_theme_follows_the_system_until_it_is_chosen_and_is_remembered(open_page):
    visit = open_page(color_scheme="dark")

    def lightness() -> int:
        colour = visit.page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3])) // 3

    assert lightness() < 64
    visit.page.emulate_media(color_scheme="light")
    assert lightness() > 192
    visit.button("Dark theme").click()
    assert lightness() < 64
    visit.page.reload()
    expect(visit.button("Light theme")).to_be_visible()
    assert lightness() < 64
    visit.button("Light theme").click()
    assert lightness() > 192


def test_everything_can_be_done_from_the_keyboard(open_page):
    visit = open_page()
    keyboard = visit.page.keyboard

    def tab_to(name: str, back: bool = False) -> None:
        for _ in range(40):
            keyboard.press("Shift+Tab" if back else "Tab")
            focused = "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
            if visit.page.evaluate(focused) == name:
                outline = visit.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
                assert outline != "none", f"no visible focus on {name}"
                return
        raise AssertionError(f"{name} cannot be reached with Tab")

    expect(visit.page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    tab_to("Sampling")
    keyboard.press("Enter")
    panel = visit.page.get_by_role("dialog", name="Sampling")
    expect(panel).to_be_visible()
    tab_to("Longest answer, exact value")
    keyboard.press("Control+a")
    keyboard.type(str(CONTEXT))
    keyboard.press("Escape")
    expect(panel).to_have_count(0)
    expect(visit.button("Sampling")).to_be_focused()

    keyboard.press("/")
    expect(visit.question()).to_be_focused()
    expect(visit.question()).to_have_value("")
    lines = TABLE_QUESTION.split("\n")
    for line in lines[:-1]:
        keyboard.type(line)
        keyboard.press("Shift+Enter")
    keyboard.type(lines[-1])
    keyboard.press("Enter")
    expect(visit.answer().locator("table")).to_have_count(1)
    visit.wait_for_end()
    assert visit.chats[0]["messages"][-1]["content"] == TABLE_QUESTION
    assert visit.chats[0]["max_tokens"] == CONTEXT

    keyboard.type(ENDLESS_QUESTION)
    keyboard.press("Enter")
    expect(visit.answer()).to_contain_text("margins rose. Costs fell")
    keyboard.press("Escape")
    expect(visit.page.locator(".usage").last).to_have_text("stopped")
    tab_to("Edit question", back=True)
    keyboard.press("Enter")
    keyboard.press("Escape")
    expect(visit.page.get_by_label("Edited question")).to_have_count(0)


def test_the_cutoff_stands_in_the_header_and_the_card_names_sources_licences_and_figures(open_page, card):
    visit = open_page()
    visit.button(f"Knows nothing after {CUTOFF}").click()
    panel = visit.page.get_by_role("dialog", name="Model card")
    expect(panel.locator(".card-cutoff")).to_contain_text(CUTOFF)
    rows = panel.locator("tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0).locator("th, td")).to_have_text(["acme filings", "1,204", "CC0-1.0"])
    expect(rows.nth(1).locator("th, td")).to_have_text(["acme calls", "31", "CC-BY-4.0"])
    for text in (card.id, f"{CONTEXT:,} tokens", "CC0-1.0; use: ship", "bits per byte", "0.9123", "9,876"):
        expect(panel).to_contain_text(text)


def test_without_a_known_cutoff_the_page_says_so(open_page, engine, card):
    unknown = ModelCard(id=card.id, created=0, context=CONTEXT, parameters=card.parameters)
    with running(create_app(engine, unknown)) as address:
        visit = open_page(address)
        expect(visit.button("Knowledge cutoff unknown")).to_be_visible()
        expect(visit.page.locator(".example")).to_have_count(4)


def test_a_server_with_keys_is_given_the_one_that_the_reader_enters_for_this_tab(open_page, engine, card):
    with running(create_app(engine, card, api_keys=frozenset({"right"}))) as address:
        visit = open_page(address)
        visit.set("API key", "wrong")
        visit.button("Use this key").click()
        expect(visit.page.get_by_label("API key")).to_have_value("")
        visit.set("API key", "right")
        visit.button("Use this key").click()
        visit.ask(TABLE_QUESTION)
        visit.wait_for_end()
        expect(visit.answer().locator("table")).to_have_count(1)
        assert visit.page.evaluate("JSON.stringify(localStorage)") == "{}"
        visit.page.reload()
        expect(visit.button(f"Knows nothing after {CUTOFF}")).to_be_visible()


def test_a_question_longer_than_the_context_is_refused_in_plain_words(open_page):
    visit = open_page()
    visit.ask("Costs fell. " * CONTEXT)
    expect(visit.page.get_by_role("alert")).to_contain_text("longer than the model can read at once")
    expect(visit.button("Edit question")).to_be_visible()


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ('data: {"error": {"message": "the engine failed: no memory"}}\n\n', "the engine failed: no memory"),
        ("", "The connection was lost before the answer was complete."),
    ],
    ids=["error event", "end without [DONE]"],
)
def test_an_answer_that_breaks_off_is_kept_and_can_be_asked_for_again(open_page, ending, words):
    visit = open_page()
    piece = 'data: {"choices": [{"index": 0, "delta": {"content": "Half an"}, "finish_reason": null}]}\n\n'
    headers = {"content-type": "text/event-stream"}
    visit.page.route("**/chat/completions", lambda route: route.fulfill(body=piece + ending, headers=headers))
    visit.ask(TABLE_QUESTION)
    expect(visit.page.get_by_role("alert")).to_contain_text(words)
    expect(visit.answer()).to_have_text("Half an")
    visit.page.unroute("**/chat/completions")
    visit.button("Try again").click()
    expect(visit.answer().locator("table")).to_have_count(1)
    expect(visit.page.get_by_role("alert")).to_have_count(0)


def test_nothing_is_wider_than_a_phone(open_page):
    visit = open_page(viewport={"width": 360, "height": 740})

    def overflow() -> int:
        return visit.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    visit.ask(TABLE_QUESTION + "\n" + "wide" * 100)
    visit.wait_for_end()
    assert overflow() <= 0
    for name in ("Sampling", "Model card"):
        visit.button(name).click()
        panel = visit.page.get_by_role("dialog", name=name)
        assert panel.evaluate("panel => panel.scrollWidth <= panel.clientWidth && panel.clientWidth <= 360")
        visit.page.keyboard.press("Escape")
        expect(panel).to_have_count(0)


def test_the_built_page_is_small_and_names_no_other_host():
    static = Path(__file__).parents[2] / "mintage" / "serve" / "static"
    files = [path for path in static.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 1_500_000
    assert not [path.name for path in files if path.suffix == ".map"]
    for name in ("index.html", "page.css", "theme.js"):
        assert not re.findall(r"https?://[^\s\"']+", (static / name).read_text(encoding="utf-8"))
