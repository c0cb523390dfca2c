from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from mintage.generate.stopping import StopMatcher

letters = st.text(alphabet="abc", max_size=20)
stop_strings = st.lists(st.text(alphabet="abc", min_size=1, max_size=4), max_size=3)


def feed(stops: list[str], pieces: list[str]) -> tuple[str, bool, list[str]]:
    matcher, passed = StopMatcher(stops), []
    for piece in pieces:
        passed.append(matcher.push(piece))
        if matcher.stopped:
            break
    if not matcher.stopped:
        passed.append(matcher.finish())
    return "".join(passed), matcher.stopped, passed


def reference(stops: list[str], text: str) -> tuple[str, bool]:
    """Character by character over the whole text: what came before the stop string that is complete first."""
    for end in range(1, len(text) + 1):
        found = [stop for stop in stops if text[:end].endswith(stop)]
        if found:
            return text[: end - max(map(len, found))], True
    return text, False


@given(stop_strings, st.lists(letters, max_size=8))
@example(["bc", "c"], ["ab", "c"])
@example(["aab"], ["aa", "ab"])
@example(["abc", "b"], ["abc"])
def test_text_is_cut_before_the_first_complete_stop_string_however_it_comes(stops, pieces):
    text, stopped, _ = feed(stops, pieces)
    assert (text, stopped) == reference(stops, "".join(pieces))


@given(stop_strings, st.lists(letters, max_size=8))
def test_nothing_passed_on_is_ever_taken_back_and_nothing_is_held_without_need(stops, pieces):
    matcher, given_so_far, passed = StopMatcher(stops), "", ""
    final, _ = reference(stops, "".join(pieces))
    for piece in pieces:
        given_so_far += piece
        passed += matcher.push(piece)
        assert final.startswith(passed)
        if matcher.stopped:
            break
        held = given_so_far[len(passed) :]
        assert matcher.held == held
        assert not held or any(stop.startswith(held) for stop in stops)
