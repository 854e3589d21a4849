from __future__ import annotations

import json
import random

import pytest

from ksail_pulumi.errors import ConfigFileError
from ksail_pulumi.goyaml import read as documents
from ksail_pulumi.goyaml.read import parse_documents, read_text


def value(text: str):
    (document,) = parse_documents(text, "f.yaml")
    return document.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"), ("true", True), ("False", False), ("22:30", "22:30"), ("2024-01-01", "2024-01-01T00:00:00Z"),
        ("0o17", 15), ("017", 15), ("0x1F", 31), ("0b11", 3), ("-5", -5), ("1_000", 1000), ("08", 8.0), ("1e3", 1000.0),
        ("1.10", 1.1), (".5", 0.5), ("'1'", "1"), ('"true"', "true"), ("!!str 5", "5"), ("!!int 5", 5), ("! 5", "5"),
        ("99999999999999999999", 1e20), ("9" * 5000, "9" * 5000), ("1e999", "1e999"),
    ],
)  # fmt: skip
def test_scalars_mean_what_go_takes_them_for(text, expected):
    result = value(f"key: {text}")["key"]
    assert result == expected
    assert type(result) is type(expected)


def test_null_in_its_spellings():
    assert value("{a: , b: ~, c: null}") == {"a": None, "b": None, "c": None}


def test_keys_are_text_as_written():
    assert value("{1: a, yes: b, 1.10: c, null: d}") == {"1": "a", "yes": "b", "1.10": "c", "null": "d"}


def test_aliases_and_merge_keys_are_followed():
    text = "base: &base {a: 1, b: 2}\nother: &other {c: 3}\nx:\n  <<: [*base, *other]\n  b: 4\ny: *base\n"
    assert value(text)["x"] == {"a": 1, "b": 4, "c": 3}
    assert value(text)["y"] == {"a": 1, "b": 2}


def test_the_line_and_the_text_of_every_value_are_known():
    (document,) = parse_documents("# c\na:\n  b:\n  - x\n  - 1.10\n", "f.yaml")
    assert document.node(("a", "b", 1)).line == 5
    assert document.node(("a", "b", 1)).text == "1.10"
    assert document.node(("a", "b", 7, "z")).line == 3
    assert str(document.error(("a", "b", 1), "no")) == "f.yaml:5: a.b[1]: no"
    assert str(document.error((), "no")) == "f.yaml:2: no"


def test_documents_that_hold_nothing_are_left_out():
    assert [item.value for item in parse_documents("---\n# c\n---\na: 1\n...\n---\nb: 2\n", "f.yaml")] == [
        {"a": 1},
        {"b": 2},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: duplicate key a (first on line 1)"),
        ("a: &a [*a]", "f.yaml:1: a value that begins with * refers to an anchor that contains the value itself"),
        ("a: *b", "f.yaml:1: a value that begins with * refers to an anchor that is not defined before it"),
        ("? [a]\n: b", "f.yaml:1: a key must be a string"),
        ("a:\n  <<: 1", "f.yaml:2: << must be a mapping or a list of mappings"),
        ("a: !!python/object/apply:os.system [x]", "f.yaml:1: a value that begins with ! is a YAML tag that is not"),
        ("a: !mine {b: 1}", "f.yaml:1: a value that begins with ! is a YAML tag that is not"),
        ("a: !!int x", "f.yaml:1: the value does not match its YAML tag"),
        ("a: !!binary eA==", "f.yaml:1: a value that begins with ! is a YAML tag that is not"),
        ("a: .inf", "f.yaml:1: .inf is not a supported number"),
        ("a: 1\n\tb: 2", "f.yaml:2: invalid YAML"),
        ("a: \x00", "f.yaml:1: invalid YAML"),
        ("a: \ud800", "f.yaml: invalid UTF-16 surrogate in the text"),
        ("[" * 100_000, "f.yaml:1: values are nested more than 100 levels deep"),
        ("- " * 100_000, "f.yaml:1: values are nested more than 100 levels deep"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(text, message):
    with pytest.raises(ConfigFileError) as caught:
        parse_documents(text, "f.yaml")
    assert str(caught.value).startswith(message)


def test_a_billion_laughs_are_refused_before_they_are_heard():
    lines = ["a0: &a0 [" + "x," * 10 + "]"]
    lines += [f"a{level}: &a{level} [" + f"*a{level - 1}," * 10 + "]" for level in range(1, 40)]
    with pytest.raises(ConfigFileError, match="the file has more than 200000 values after its aliases are expanded"):
        parse_documents("\n".join(lines), "f.yaml")


def test_files_that_are_no_texts_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(ConfigFileError, match=r"f\.yaml:2: the file is not UTF-8 text"):
        read_text(path)
    with pytest.raises(ConfigFileError, match="cannot read the file: Is a directory"):
        read_text(tmp_path)
    monkeypatch.setattr(documents, "MAX_BYTES", 3)
    with pytest.raises(ConfigFileError, match="the file is larger than 3 bytes"):
        read_text(path)
    path.write_bytes(b"\xef\xbb\xbfa")
    with pytest.raises(ConfigFileError, match="larger"):
        read_text(path)


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_text(path) == "a: 1"


def test_random_damage_gives_data_or_a_clear_error():
    random_ = random.Random(7)
    text = "a: &x {b: [1, 2.5, 'c', \"d\"], e: |\n    f\n  }\nlist:\n- <<: *x\n- !!str 3\n---\nz: ~\n# end\n"
    characters = "ab:,-[]{}&*!|>'\"%@`#? \n\t0.~<é\x07"
    for _ in range(3000):
        damaged = list(text)
        for _ in range(random_.randint(1, 4)):
            at = random_.randrange(len(damaged))
            damaged[at : at + random_.randint(0, 2)] = random_.choice(characters)
        try:
            for document in parse_documents("".join(damaged), "f.yaml"):
                json.dumps(document.value, allow_nan=False)
        except ConfigFileError:
            pass
