"""A growing file is read once, row by row."""

from gannb.runs.tail import Tail


def test_rows_come_once_and_half_a_row_waits(tmp_path):
    path = tmp_path / "metrics.jsonl"
    tail = Tail(path)
    assert tail.rows() == []  # not there yet
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert tail.rows() == [{"step": 1}, {"step": 2}]
    assert tail.rows() == []
    with path.open("a") as file:
        file.write('ep": 3}\n')
    assert tail.rows() == [{"step": 3}]
