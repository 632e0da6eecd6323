"""What HL7's R4 definitions say, as one compact table: `r4.json`, made by `generate` and checked in.

The table holds, each by its key:

- `package`: name and version of the package that it was made from;
- `types`: by type ("Observation", "Observation.component", "HumanName"), its kind, its base and its own
  elements, each as one line such as `1..1 code = observation-status`, `0..* Reference(Patient,Group)`,
  `0..1 Quantity|string` (a choice) or `0..* #Observation.referenceRange` (the content of another element);
- `bindings`: by short name, the value set of a required binding and its codes by system (empty when open);
- `open`: the short names of value sets that no table can hold, such as all MIME types;
- `rules`: by element, the invariants on it: key, severity, words and FHIRPath.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["TABLE_FILE", "load_table"]

TABLE_FILE = Path(__file__).with_name("r4.json")


@cache
def load_table() -> dict[str, Any]:
    """The whole table, read once: some milliseconds."""
    table: dict[str, Any] = json.loads(TABLE_FILE.read_bytes())
    return table
