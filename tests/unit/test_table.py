"""Columns of tcp_info, however the table lies in memory."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tcptop.model import tcp
from tcptop.model.table import blank


@pytest.mark.parametrize("field", tcp.TCP_INFO, ids=lambda field: field.name)
def test_a_column_is_the_same_by_rows_and_by_words(field: tcp.InfoField) -> None:
    table = blank(7)
    table.info[:] = np.random.default_rng(1).integers(0, 1 << 32, table.info.shape, np.uint32)
    words = replace(table, info=np.asfortranarray(table.info))
    expected = table.tcp_info(field.name)
    for other in (words, words.part(2, 5), words.take(np.array([6, 0]))):
        rows = {7: np.arange(7), 3: np.arange(2, 5), 2: np.array([6, 0])}[len(other)]
        found = other.tcp_info(field.name)
        assert found.dtype == expected.dtype
        assert found.tolist() == expected[rows].tolist()
