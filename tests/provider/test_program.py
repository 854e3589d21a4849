from __future__ import annotations

import pulumi
import pytest

from ksail_pulumi.errors import ConfigFileError, InputError
from ksail_pulumi.provider.program import reported


@pytest.mark.parametrize(
    "error", [InputError("name", "is wrong"), ConfigFileError("ksail.yaml", 3, "spec", "is wrong")]
)
def test_mistakes_reach_pulumi_as_errors_that_it_prints_without_a_traceback(error):
    with pytest.raises(pulumi.RunError) as caught, reported():
        raise error
    assert isinstance(caught.value, type(error))
    assert str(caught.value) == str(error)


def test_other_errors_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), reported():
        1 / 0  # noqa: B018
