"""`/`: a filter is typed with live feedback, its names are looked up, and it is applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Input

from tcptop.analysis.clause import NO_FILTER, Clause, Feedback
from tcptop.model.cells import cut
from tcptop.model.snapshot import Snapshot
from tcptop.tui import header, keys
from tcptop.tui.watcher import in_background
from tcptop.tui.widgets.lines import Lines
from tcptop.tui.widgets.prompt import Prompt

if TYPE_CHECKING:
    from tcptop.analysis.filter import Expression, NameResolver

SIGN = " / "
EXAMPLE = "e.g. state established and dport = :443"  # not to be taken for a filter
_REST = 0.05  # seconds; a paste without brackets is thousands of keys, each a longer text to parse


class FilterBar(Vertical):
    """Three lines: what is to be said, the prompt, and the keys or a caret under the error."""

    DEFAULT_CSS = """
    FilterBar { height: 3; }
    FilterBar Horizontal { height: 1; }
    FilterBar #sign { width: 3; }
    """

    def __init__(
        self,
        names: NameResolver,
        ascii_only: bool,
        applied: Callable[[Clause], object],
        closed: Callable[[], object],
    ) -> None:
        """`applied` is told a filter that can be evaluated, `closed` that nothing is typed any
        more; at once, for the next key may be here already."""
        super().__init__(id="filter")
        self.display = False
        self.snapshot: Snapshot | None = None  # the one to count in
        self._names, self._when_applied, self._when_closed = names, applied, closed
        self._said = Lines(ascii_only, id="feedback")
        self.prompt = Prompt(EXAMPLE, "prompt", self._submit, self.close)
        self._hint = Lines(ascii_only, id="hint")
        self._sign = Lines(ascii_only, id="sign")
        self._feedback = Feedback("", "")
        self._choices: Sequence[str] = ()  # shown in its place
        self._due: Timer | None = None  # feedback on what was typed, not given yet
        self._judged: str | None = None  # the text that was submitted last; of it all is said
        self._asked = 0  # the last lookup; what an earlier one finds is too late

    def compose(self) -> ComposeResult:
        yield self._said
        with Horizontal():
            yield self._sign
            yield self.prompt
        yield self._hint

    @property
    def is_open(self) -> bool:
        return self.display

    def open(self, text: str) -> None:
        """Begin with the filter in force."""
        self.display, self._judged = True, None
        self._sign.show(((SIGN, "header"),))
        self.prompt.begin(text)
        self._tell(self._feedback_of(text))

    def close(self) -> None:
        if self.is_open:
            self._asked += 1
            self.display = False
            self._when_closed()

    # -- what is typed

    def on_input_changed(self, message: Input.Changed) -> None:
        if self.is_open and message.value != self._judged:
            self._judged = None
            self._asked += 1
            if self._due is None:
                self._due = self.set_timer(_REST, self._give_feedback)

    def _give_feedback(self) -> None:
        self._due = None
        if self.is_open and self._judged is None:
            self._tell(self._feedback_of(self.prompt.value))

    def _feedback_of(self, text: str) -> Feedback:
        from tcptop.analysis.filter.feedback import feedback

        return feedback(text, self.snapshot)

    def _forget_feedback(self) -> None:
        """What is said next is not to be replaced by what is due for the text before."""
        if self._due:
            self._due.stop()
            self._due = None

    def on_prompt_choices(self, message: Prompt.Choices) -> None:
        self._forget_feedback()
        self._choices = message.words
        self._draw()

    def on_prompt_scrolled(self) -> None:
        self._draw_hint()

    def on_resize(self) -> None:
        self._draw()
        self._draw_hint()

    # -- what is said

    def _tell(self, said: Feedback) -> None:
        self._feedback, self._choices = said, ()
        self._draw()
        self._draw_hint()

    def _draw(self) -> None:
        width = self.app.size.width
        if self._choices:
            self._said.show(header.remark("  ".join(self._choices), "", width))
        else:
            said = self._feedback
            self._said.show(((cut(f" {said.said}", width), said.style),))

    def _draw_hint(self) -> None:
        width = self.app.size.width
        column = self._feedback.column
        if column is None:
            self._hint.show(header.footer(keys.TYPING_HINTS, width))
            return
        before = cell_len(self.prompt.value[:column]) - round(self.prompt.scroll_x)
        margin = len(SIGN) + max(0, before)
        self._hint.show(((" " * min(margin, width - 1) + "^", "bad"),))

    # -- what is applied

    def _submit(self, value: str) -> None:
        from tcptop.analysis.filter import FilterError, parse
        from tcptop.analysis.filter.feedback import NeedsLookup, bound, refusal

        self._forget_feedback()
        self._judged, text = value, value.strip()
        try:
            expression = parse(text)
            self._apply(Clause(text, bound(expression)))
        except FilterError as error:
            self._tell(refusal(error))
        except NeedsLookup:
            self._look_up(text, expression)

    def _look_up(self, text: str, expression: Expression) -> None:
        self._asked += 1
        self._tell(Feedback("looking up names…", "dim"))
        number = self._asked
        in_background(self, lambda: self._bound(text, expression), self._found, number)

    def _bound(self, text: str, expression: Expression) -> Clause | Feedback:
        """With its names resolved, which may wait for DNS; in a thread of its own."""
        from tcptop.analysis.filter import FilterError, bind
        from tcptop.analysis.filter.feedback import refusal

        try:
            return Clause(text, bind(expression, self._names))
        except FilterError as error:
            return refusal(error)

    def _found(self, found: Clause | Feedback, number: int) -> None:
        if number != self._asked:
            return  # something else was typed since
        if isinstance(found, Feedback):
            self._tell(found)
        else:
            self._apply(found)

    def _apply(self, clause: Clause) -> None:
        self.prompt.remember(clause.text)
        self.close()
        self._when_applied(clause if clause.text else NO_FILTER)
