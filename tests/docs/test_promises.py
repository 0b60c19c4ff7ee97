"""`docs/promises.md`: every test, benchmark and result that it names is there."""

import re
from pathlib import Path


def test_what_promises_name_is_there(root: Path) -> None:
    text = (root / "docs" / "promises.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|benchmarks|results|docs)/[\w./]+)`", text))
    assert len(named) > 20 and [name for name in sorted(named) if not (root / name).exists()] == []
