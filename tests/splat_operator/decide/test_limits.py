"""What may stand in a status: clean texts, reasons that are words, numbers that fit."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from splat_operator.decide.limits import INT32, MAX_REASON, MAX_TEXT, clean_reason, clean_text, fit
from status_schema import status_schema

REASON = re.compile(r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
"""What metav1.Condition takes as a reason."""
ANY_TEXT = st.text(st.characters(exclude_categories=[]))
"""Lone surrogates too, which JSON may have brought in."""

TEXTS = {
    "plain": ("It is not there.", "It is not there."),
    "line breaks": ("exec:\n\r\n  not\vfound\x85here\u2028now\u2029", "exec: not found here now"),
    "colours": ("\x1b[1;31mred\x1b[0m", "red"),
    "cursor": ("a\x1b[2Kb\x1b[?25lc", "a b c"),
    "bell and backspace": ("a\x07\x08b", "a b"),
    "escape alone": ("a\x1bb", "a b"),
    "direction of writing": ("safe\u202egpj.exe\u202c \u2066x\u2069", "safe gpj.exe x"),
    "marks of direction": ("a\u200eb\u200fc\u061cd", "a b c d"),
    "mark of byte order": ("\ufeffBOM", "BOM"),
    "lone surrogates": ("a\ud800b\udfff", "a b"),
    "a letter of two code units": ("a 😀", "a 😀"),
    "C1 controls": ("a\x9b31mb", "a 31mb"),
    "spaces": ("  a \t b ", "a b"),
    "nothing": ("\n", ""),
}


@pytest.mark.parametrize(("text", "clean"), TEXTS.values(), ids=TEXTS)
def test_texts_are_one_line_that_no_terminal_acts_upon(text: str, clean: str) -> None:
    assert clean_text(text) == clean
    assert fit({"message": text, "inside": [{"words": text}]}) == {"message": clean, "inside": [{"words": clean}]}


@given(ANY_TEXT)
def test_any_text_becomes_one_that_can_be_sent_and_shown(text: str) -> None:
    clean = clean_text(text)
    json.dumps(clean, ensure_ascii=False).encode()
    assert len(clean.splitlines()) <= 1
    assert not [letter for letter in clean if unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")]
    assert not set(clean) & set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    assert clean_text(clean) == clean


def test_long_texts_are_cut_and_say_so() -> None:
    assert clean_text("x" * MAX_TEXT) == "x" * MAX_TEXT
    cut = clean_text("x" * 5000)
    assert (len(cut), cut[-1]) == (MAX_TEXT, "…")


REASONS = {
    "word": ("OOMKilled", "OOMKilled"),
    "resource in it": ("OutOfnvidia.com/gpu", "OutOfnvidia_com_gpu"),
    "begins with a digit": ("1st", "st"),
    "ends with a sign": ("Why:", "Why"),
    "inner signs": ("a:b,c_d", "a:b,c_d"),
    "sentence": ("no GPU left", "no_GPU_left"),
    "empty": ("", "Unknown"),
    "no letter at all": ("./123", "Unknown"),
    "letters of others": ("Größe", "Gr__e"),
}


@pytest.mark.parametrize(("text", "reason"), REASONS.values(), ids=REASONS)
def test_reasons_are_words(text: str, reason: str) -> None:
    assert clean_reason(text) == reason
    assert fit({"conditions": [{"reason": text}]}) == {"conditions": [{"reason": reason}]}


@given(ANY_TEXT | st.text(st.sampled_from("a1_,:./ é"), max_size=2000))
def test_any_text_becomes_a_reason(text: str) -> None:
    reason = clean_reason(text)
    assert REASON.match(reason)
    assert len(reason) <= MAX_REASON
    assert clean_reason(reason) == reason


def numbers_of(schema: dict[str, Any], name: str = "") -> set[tuple[str, str]]:
    """Names and formats of all whole numbers below a schema."""
    found = {(name, schema.get("format", "int64"))} if schema["type"] == "integer" else set()
    for field, inner in schema.get("properties", {}).items():
        found |= numbers_of(inner, field)
    return found | (numbers_of(schema["items"], name) if "items" in schema else set())


def test_the_fields_of_32_bits_are_those_of_the_schema() -> None:
    found = numbers_of(status_schema())
    assert {name for name, bits in found if bits == "int32"} == set(INT32)
    assert {bits for _, bits in found} == {"int32", "int64"}


@pytest.mark.parametrize(
    ("name", "number", "fitted"),
    [
        ("percent", 2**31, 2**31 - 1),
        ("scenesDone", -(2**40), -(2**31)),
        ("inputBytes", 2**40, 2**40),
        ("inputBytes", 2**70, 2**63 - 1),
        ("etaSeconds", -(2**70), -(2**63)),
        ("ratio", float("nan"), 0.0),
        ("ratio", float("inf"), 0.0),
        ("ratio", 15.5, 15.5),
        ("flag", True, True),
        ("nothing", None, None),
    ],
)
def test_numbers_are_in_range(name: str, number: Any, fitted: Any) -> None:
    assert fit({name: number}) == {name: fitted}
    assert fit({"list": [{name: number}]}) == {"list": [{name: fitted}]}
