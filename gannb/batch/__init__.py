"""Batch runs: notebooks by papermill, sweeps, reports."""

import sys

# jsonschema, which nbformat imports, would first parse a grammar of internationalised addresses for one to three
# seconds. No notebook needs it, and jsonschema does without where it is missing.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
