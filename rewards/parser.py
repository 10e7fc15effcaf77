r"""Reads a whole response once, in linear time, and says why it refused.

The formats are those of VRFT-Aug (arXiv 2602.10619, as read in its co-author's public repository), which asks for
`<think>...</think>\boxed{...}`, and the `<answer>` variant that is common elsewhere. Two questions are kept apart: is
the response well formed, and what does it answer. A response that is off-format may still carry exactly one answer.

Reasons, first one that holds: `no_answer`, `two_answers`, `unclosed_answer`, `nested` (answer inside the reasoning or
the other way round), `empty_answer`: these leave no answer. `no_think`, `two_thinks`, `unclosed_think`, `wrong_order`,
`text_outside`: these leave the answer readable.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from .errors import RewardError
from .types import AnswerFormat

# Alternations of literals: no quantifier, so nothing to backtrack over.
_ANSWER_TAGS = re.compile(r"<think>|</think>|<answer>|</answer>")
_BOXED_TAGS = re.compile(r"<think>|</think>|\\boxed\{")
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)

_WITH_THINK = (AnswerFormat.THINK_ANSWER, AnswerFormat.THINK_BOXED)
_WITH_BOXED = (AnswerFormat.THINK_BOXED, AnswerFormat.BOXED)


class Parsed(NamedTuple):
    """What a response says. `reason` is empty exactly when the whole response is in format."""

    think: str | None
    answer: str | None
    reason: str

    @property
    def well_formed(self) -> bool:
        return not self.reason


class _Span(NamedTuple):
    """An element: where its opening tag starts, its content runs, and its closing tag ends."""

    start: int
    inner: int
    inner_end: int
    end: int

    def holds(self, other: _Span) -> bool:
        return self.start < other.start and other.end <= self.end


@lru_cache(maxsize=128)
def parse(text: str, answer_format: AnswerFormat) -> Parsed:
    r"""Reads `text` against `answer_format`. Cached, so the terms of a composed reward share one parse.

    Surrounding whitespace is free; anything else outside the elements is not. An empty `<think>` is in format, an empty
    answer is not.

    >>> parse("<think>Smooth margins.</think> <answer>benign</answer>", AnswerFormat.THINK_ANSWER)
    Parsed(think='Smooth margins.', answer='benign', reason='')
    >>> parse(r"I say \boxed{2}", AnswerFormat.BOXED)
    Parsed(think=None, answer='2', reason='text_outside')
    >>> parse("<answer>A</answer><answer>B</answer>", AnswerFormat.ANSWER).reason
    'two_answers'
    """
    boxed = answer_format in _WITH_BOXED
    text = text.strip()
    places: dict[str, list[int]] = {}
    for match in (_BOXED_TAGS if boxed else _ANSWER_TAGS).finditer(text):
        places.setdefault(match.group(), []).append(match.start())

    think, think_reason = _think(places)
    thought = text[think.inner : think.inner_end].strip() if think else None
    answer, reason = _boxed(text, places) if boxed else _answer(places)
    if answer is None:
        return Parsed(thought, None, reason)
    if (think and think.holds(answer)) or any(answer.start < at < answer.end for at in _think_tags(places)):
        return Parsed(thought, None, "nested")
    content = text[answer.inner : answer.inner_end].strip()
    if not content:
        return Parsed(thought, None, "empty_answer")
    return Parsed(thought, content, _layout(text, answer_format, think, think_reason, answer))


def render(answer: str, answer_format: AnswerFormat, think: str = "") -> str:
    r"""The text that gives `answer` in this format: demonstrations for SFT, gold texts for tests.

    Raises `RewardError` where the text would not read back as this answer (it holds a tag, or nothing).

    >>> render("benign", AnswerFormat.THINK_BOXED, think="Smooth margins.")
    '<think>Smooth margins.</think>\\boxed{benign}'
    """
    body = f"\\boxed{{{answer}}}" if answer_format in _WITH_BOXED else f"<answer>{answer}</answer>"
    text = f"<think>{think}</think>{body}" if answer_format in _WITH_THINK else body
    parsed = parse(text, answer_format)
    if parsed.reason or parsed.answer != answer.strip():
        raise RewardError(
            f"cannot render the answer {answer!r} as {answer_format}: {parsed.reason or 'it reads back differently'}"
        )
    return text


def _think_tags(places: dict[str, list[int]]) -> list[int]:
    return places.get("<think>", []) + places.get("</think>", [])


def _think(places: dict[str, list[int]]) -> tuple[_Span | None, str]:
    opens, closes = places.get("<think>", []), places.get("</think>", [])
    if not opens:
        return None, "no_think"
    if len(opens) > 1 or len(closes) > 1:
        return None, "two_thinks"
    if not closes or closes[0] < opens[0]:
        return None, "unclosed_think"
    return _Span(opens[0], opens[0] + len("<think>"), closes[0], closes[0] + len("</think>")), ""


def _answer(places: dict[str, list[int]]) -> tuple[_Span | None, str]:
    opens, closes = places.get("<answer>", []), places.get("</answer>", [])
    if not opens:
        return None, "no_answer"
    # Two closing tags leave open which of them ends the answer.
    if len(opens) > 1 or len(closes) > 1:
        return None, "two_answers"
    if not closes or closes[0] < opens[0]:
        return None, "unclosed_answer"
    return _Span(opens[0], opens[0] + len("<answer>"), closes[0], closes[0] + len("</answer>")), ""


def _boxed(text: str, places: dict[str, list[int]]) -> tuple[_Span | None, str]:
    opens = places.get("\\boxed{", [])
    if not opens:
        return None, "no_answer"
    if len(opens) > 1:
        return None, "two_answers"
    inner = opens[0] + len("\\boxed{")
    depth = 1
    for match in _BRACES.finditer(text, inner):
        brace = match.group()
        if brace == "{":
            depth += 1
        elif brace == "}":
            depth -= 1
        if depth == 0:
            return _Span(opens[0], inner, match.start(), match.end()), ""
    return None, "unclosed_answer"


def _layout(text: str, answer_format: AnswerFormat, think: _Span | None, think_reason: str, answer: _Span) -> str:
    """Why the response around a readable answer is off-format; empty when it is not."""
    if answer_format not in _WITH_THINK:
        return "" if (answer.start, answer.end) == (0, len(text)) else "text_outside"
    if think is None:
        return think_reason
    if think.start > answer.start:
        return "wrong_order"
    outside = text[: think.start] + text[think.end : answer.start] + text[answer.end :]
    return "text_outside" if outside.strip() else ""
