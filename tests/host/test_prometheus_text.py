"""A page of figures is read, and a line that would take minutes is not."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from host.prometheus_text import LONGEST_LINE, metric_families
from tests.growth import assert_in_proportion


def test_figures_are_read() -> None:
    (family,) = metric_families('# TYPE a gauge\na{b="c"} 1\na{b="d"} 2\n')
    assert [(sample.labels, sample.value) for sample in family.samples] == [({"b": "c"}, 1.0), ({"b": "d"}, 2.0)]


def test_the_longest_line_is_read_and_a_longer_one_is_not() -> None:
    line = 'a{b=""} 1'.replace('""', f'"{"x" * (LONGEST_LINE - 9)}"')
    assert len(line) == LONGEST_LINE and len([*metric_families(line)]) == 1
    with pytest.raises(ValueError, match="a line of more than"):
        [*metric_families("# HELP a\n" + line + " ")]


def test_quotation_marks_without_end_take_no_longer_than_they_are_many() -> None:
    def prepared(lines: int) -> Callable[[], object]:
        page = ('a{b="' + '\\"' * 2000 + '"} 1\n') * lines
        assert len([*metric_families(page)]) == lines
        return lambda: [*metric_families(page)]

    assert_in_proportion(prepared, 10, 80)


@pytest.mark.fuzz
@given(st.text('a{b="\\} 1\n#,=eNT+Inf', max_size=60) | st.text(max_size=60))
def test_any_page_is_read_or_refused(page: str) -> None:
    try:
        assert all(isinstance(family.name, str) for family in metric_families(page))
    except (ValueError, LookupError, TypeError, AttributeError):
        pass
