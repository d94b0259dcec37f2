"""`/`: live feedback, errors with a caret under them, names, completion, history."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest
from textual import events

from tcptop.analysis.clause import Feedback
from tcptop.analysis.filter.feedback import feedback
from tcptop.model.snapshot import Snapshot
from tcptop.tui.terminal.keyboard import Typed
from tests.tui.live import Live, live
from tests.unit.prepared import everything


def prompt_lines(view: Live) -> list[str]:
    """What is said, the prompt, and the line below it."""
    return view.lines()[-3:]


async def ask(view: Live, text: str) -> None:
    """Type without applying."""
    await view.press("slash")
    view.app.main.filter_bar.prompt.begin(text)
    await view.settled()


async def test_feedback_counts_while_typing() -> None:
    async with live() as view:
        await view.press("slash")
        assert prompt_lines(view)[0] == " 18 of 18 sockets"
        assert "Enter apply" in prompt_lines(view)[2]
        await view.press(*"state")
        assert prompt_lines(view)[0].startswith(" next: ")
        await view.press("space", *"listen")
        assert prompt_lines(view)[0] == " 2 of 18 sockets"
        assert prompt_lines(view)[1] == " / state listen"
        await view.press("enter")
        await view.until(lambda: not view.app.main.filter_bar.is_open, "applied")
        assert "filter: state listen  2 sockets" in view.text()


@pytest.mark.parametrize("erases", ["ctrl+u", "ctrl+w"])
async def test_erasing_keeps_its_place_among_what_is_typed(erases: str) -> None:
    """In one read: the filter in force is changed to another one."""
    async with live() as view:
        await view.type("state listening")
        driver = view.app._driver
        assert driver is not None
        for message in (
            *(events.Key("slash", "/"), events.Key(erases, None), Typed("state established")),
            *(events.Key("ctrl+u", None), events.Key("s", "s"), Typed("tate syn-sent")),
            events.Key("enter", None),
        ):
            driver.send_message(message)
        await view.settled()
        assert view.session.typed.text == "state syn-sent"


async def test_text_that_comes_as_keys_is_not_parsed_at_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A paste without brackets; each key made the text longer, and its feedback slower."""
    asked: list[str] = []

    def counted(text: str, snapshot: Snapshot | None) -> Feedback:
        asked.append(text)
        return feedback(text, snapshot)

    async with live() as view:
        await view.press("slash")
        monkeypatch.setattr("tcptop.analysis.filter.feedback.feedback", counted)
        await view.press(*"(((" * 200)
        assert len(asked) < 300
        assert asked[-1] == "(((" * 200
        assert prompt_lines(view)[0].startswith(" next: ")


async def test_the_caret_is_under_the_first_wrong_character() -> None:
    async with live() as view:
        await ask(view, "state established and dprot = :443")
        said, typed, caret = prompt_lines(view)
        assert said.startswith(' unexpected "dprot" (did you mean "dport"?); expected state,')
        assert caret.index("^") == typed.index("dprot")
        await view.press("enter")
        assert view.app.main.filter_bar.is_open


async def test_the_caret_follows_text_that_is_wider_than_the_screen() -> None:
    async with live(size=(60, 24)) as view:
        await ask(view, "dport = 443 and " * 8 + "dprot = 1 and dport = 2")
        _, typed, caret = prompt_lines(view)
        assert caret.index("^") == typed.index("dprot")
        await view.press("left", "left", "left", "backspace")
        _, typed, caret = prompt_lines(view)
        assert caret.index("^") == typed.index("dprot")
        await view.pilot.resize_terminal(100, 24)
        await view.settled()
        _, typed, caret = prompt_lines(view)
        assert caret.index("^") == typed.index("dprot")


async def test_wide_characters_do_not_shift_the_caret() -> None:
    async with live() as view:
        await ask(view, 'process = "日本" and dprot = 1')
        _, typed, caret = prompt_lines(view)
        assert caret.index("^") == typed.index("dprot") + len("日本")


async def test_tab_completes_and_lists() -> None:
    async with live() as view:
        await view.press("slash", *"dpo", "tab")
        assert view.app.main.filter_bar.prompt.value == "dport "
        await view.press("equals_sign", *"80", "space", *"and", "space", *"st", "tab", "tab")
        assert prompt_lines(view)[1] == " / dport =80 and state"
        await view.press("tab")
        assert "established" in prompt_lines(view)[0]
        assert view.session.here.view == "processes"


async def test_keys_of_the_view_are_text_in_the_prompt() -> None:
    async with live() as view:
        await view.press("slash", *"q2s", "question_mark")
        assert view.app.main.filter_bar.prompt.value == "q2s?"
        await view.press("f1", "f10")
        assert view.app._exit


async def test_escape_leaves_the_prompt_and_ctrl_c_the_program() -> None:
    async with live() as view:
        await view.press("slash", "x", "escape")
        assert not view.app.main.filter_bar.is_open
        assert not view.app._exit
        assert not view.session.typed.text
        await view.press("slash", "x", "ctrl+c")
        assert view.app._exit


async def test_earlier_filters_come_back() -> None:
    async with live() as view:
        await view.type("state listen")
        await view.type("state established")
        await view.press("escape", "slash", "up")
        assert view.app.main.filter_bar.prompt.value == "state established"
        await view.press("up", "up")
        assert view.app.main.filter_bar.prompt.value == "state listen"
        await view.press("down", "down")
        assert view.app.main.filter_bar.prompt.value == ""


async def test_a_typed_filter_stays_across_views() -> None:
    async with live() as view:
        await view.type("state listen")
        for number in "12345":
            await view.press(number)
            assert "filter: state listen  2 sockets" in view.text()
        await view.press("1", "enter", "enter")
        assert "filter: (state listen) and (pid = 100 and netns = " in view.text()


async def test_a_filter_that_nothing_passes_says_what_to_do() -> None:
    async with live() as view:
        await view.type("dport = 1")
        assert view.rows() == ["Nothing matches the filter. Esc clears it, / changes it."]


async def test_the_filter_of_the_command_line_holds() -> None:
    async with live(filter="state established") as view:
        assert "filter: state established  7 sockets" in view.text()
        await view.type("process = curl")
        assert "(state established) and (process = curl)" in view.text()
        await view.press("escape", "escape")
        assert "filter: state established  7 sockets" in view.text()


async def test_a_click_elsewhere_leaves_the_prompt() -> None:
    async with live() as view:
        await view.press("slash", "x")
        await view.pilot.click("#table", offset=(5, 3))
        assert not view.app.main.filter_bar.is_open
        await view.press("2")
        assert view.session.here.view == "sockets"


class SlowNames:
    """Resolves a host when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answers = {name: threading.Event() for name in ("first", "second", "nobody")}

    def host(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        assert self.answers[name].wait(10)
        known = {"first": ["10.0.0.7"], "second": ["10.0.0.9", "2001:db8::2"]}
        return known.get(name, [])

    def service(self, name: str) -> int:
        raise OSError("unknown")


async def submit(view: Live, text: str) -> None:
    view.app.main.filter_bar.prompt.begin(text)
    await view.press("enter")


async def test_names_are_looked_up_off_the_loop() -> None:
    names = SlowNames()
    async with live(names=names) as view:
        await view.press("slash")
        await submit(view, "dst first")
        assert "looking up names" in prompt_lines(view)[0]
        await view.take(everything(clock=1001.0))  # the screen goes on
        names.answers["first"].set()
        await view.until(lambda: not view.app.main.filter_bar.is_open, "applied")
        assert "filter: dst first  3 sockets" in view.text()


async def test_an_earlier_lookup_cannot_overtake_a_later_one() -> None:
    names = SlowNames()
    async with live(names=names) as view:
        await view.press("slash")
        await submit(view, "dst first")
        await submit(view, "dst second")
        await view.until(lambda: len(names.asked) == 2, "both asked")
        names.answers["second"].set()
        await view.until(lambda: not view.app.main.filter_bar.is_open, "applied")
        names.answers["first"].set()
        await finished("background")
        await view.settled()
        assert view.session.typed.text == "dst second"
        assert "filter: dst second  6 sockets" in view.text()


async def test_a_cancelled_lookup_changes_nothing() -> None:
    names = SlowNames()
    async with live(names=names) as view:
        await view.press("slash")
        await submit(view, "dst first")
        await view.press("escape")
        names.answers["first"].set()
        await finished("background")
        await view.settled()
        assert not view.session.typed.text


async def test_an_unknown_name_has_its_caret() -> None:
    names = SlowNames()
    names.answers["nobody"].set()
    async with live(names=names) as view:
        await view.press("slash")
        await submit(view, "dport = 1 or dst nobody")
        await view.until(lambda: "has no address" in view.text(), "refused")
        _, typed, caret = prompt_lines(view)
        assert caret.index("^") == typed.index("nobody")


async def finished(name: str) -> None:
    """Wait for the threads of a name to end."""
    while any(thread.name == name for thread in threading.enumerate()):
        await asyncio.sleep(0.005)


async def test_the_filter_in_force_can_be_gone_on_with() -> None:
    async with live(size=(40, 24)) as view:
        await view.type("state established and dport = 8080")
        await view.press("slash", "space", *"or", "space", "colon", "1")
        assert view.app.main.filter_bar.prompt.value == "state established and dport = 8080 or :1"
        assert prompt_lines(view)[1].endswith("8080 or :1")


@pytest.mark.parametrize("key", ["3", "4", "5"])
async def test_where_a_row_counts_all_its_sockets_the_filter_says_so(key: str) -> None:
    async with live() as view:
        await view.type("state established")
        assert "filter: state established  7 sockets\n" in view.text() + "\n"
        await view.press(key)
        assert "filter: state established  7 sockets; rows count all" in view.text()


async def test_what_is_typed_in_one_piece_is_done_in_its_order() -> None:
    """On a slow link all of it comes in one read: what follows Enter or Esc is no text any more."""
    async with live() as view:
        await view.press("slash", *"state listen", "enter", "2", "S")
        assert not view.app.main.typing
        assert view.session.typed.text == "state listen"
        assert (view.session.here.view, len(view.rows())) == ("sockets", 2)
        assert view.session.sort.reverse
        await view.press("slash", "x", "escape", "slash", "y", "escape", "3")
        assert not view.app.main.typing
        assert view.session.typed.text == "state listen"
        await view.press("ctrl+f", *"0.0.0.0", "enter", "down", "1")
        assert view.session.here.view == "processes"
        await view.press("slash", "x", "escape", "q")
        assert view.app.ending


@pytest.mark.parametrize("opening", ["slash", "ctrl+f"])
async def test_a_text_is_bounded(opening: str) -> None:
    async with live() as view:
        await view.press("2", opening)
        prompt = view.app.main.prompt
        assert prompt is not None
        driver = view.app._driver
        assert driver is not None
        driver.send_message(Typed("dst 10.0.0.1 or " * 1000))
        await view.settled()
        assert prompt.value == ("dst 10.0.0.1 or " * 1000)[:2000]
        await view.press("x", "home", "delete", "y", "z")
        assert len(prompt.value) == 2000
        await view.press("home", *["delete"] * 3)
        driver.send_message(events.Paste("\n a\tb\nc" * 1000))
        await view.press("enter")  # which comes after it
        assert prompt.value.startswith("ab 10.0.0.1")
        assert opening == "slash" or view.app.finder.wanted.startswith("ab 10.0.0.1")


async def test_choices_stay_when_the_screen_is_laid_out_anew() -> None:
    """As it is where all was typed ahead: what was open is laid out after the last key."""
    async with live() as view:
        await view.press("slash", *"state", "space", *"syn", "minus", "tab")
        assert "syn-sent  syn-recv" in view.text()
        await view.pilot.resize_terminal(100, 30)
        await view.settled()
        assert "syn-sent  syn-recv" in view.text()
        await view.press("s")
        assert "syn-sent  syn-recv" not in view.text()
