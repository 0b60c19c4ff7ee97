"""Source in a notebook: plain text that is Python again, and highlighted HTML."""

import ast

import pytest

from gannb.figures.source import show_source
from gannb.losses.adversarial import Adversarial, hinge_d


class Losses:
    def d_loss(self) -> int:
        return 1


def test_it_shows_functions_methods_and_classes_as_they_stand() -> None:
    shown = show_source(hinge_d, Losses().d_loss, Adversarial)
    body = ast.parse(repr(shown)).body
    assert [node.name for node in body] == ["hinge_d", "d_loss", "Adversarial"]
    assert "F.relu(1 - real).mean()" in repr(shown)
    assert '<span class="nf">hinge_d</span>' in shown._repr_html_()


def test_it_brings_the_styles_of_what_is_in_it_alone() -> None:
    page = show_source(hinge_d)._repr_html_()
    styles, _, code = page.partition("</style>")
    for token, there in {"nf": True, "sd": True, "gd": False, "kn": False}.items():
        assert (f'class="{token}"' in code) == (f".{token} {{" in styles) == there, token
    assert ".output_html { background" in styles and "<pre style=" in code


def test_what_has_no_source_is_refused() -> None:
    with pytest.raises(TypeError):
        show_source(len)
