"""`init` writes a suite that has no fault, says why, and refuses what no suite can be made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from polygraft.assembly.starter import starts, suite_text
from polygraft.assembly.tables import prepare_tables
from polygraft.core.errors import UserError
from polygraft.suite.load import load

ROWS = 400


@pytest.fixture
def table(tmp_path):
    rows = pd.DataFrame(
        {
            "amount": [float(i % 37) for i in range(ROWS)],
            "colour": ["red", "green"] * (ROWS // 2),
            "who: me": [f"person {i}" for i in range(ROWS)],
            "yes": [i % 5 for i in range(ROWS)],
            "empty": [None] * ROWS,
            "delay": [None if i % 9 == 0 else i * 0.37 for i in range(ROWS)],
            "late": ["y" if i % 3 else "n" for i in range(ROWS)],
        }
    )
    path = tmp_path / "my flights.csv"
    rows.to_csv(path, index=False)
    return path


def test_the_suite_has_no_fault_and_its_table_can_be_prepared(table, tmp_path):
    made = starts([table], ["delay", "late"], tmp_path)
    (tmp_path / "suite.yaml").write_text(suite_text("mine", made))
    suite = load(tmp_path / "suite.yaml")
    assert {name: task.objective.name for name, task in suite.tasks.items()} == {
        "delay": "regression",
        "late": "classification",
    }
    (prepared,) = prepare_tables(suite, tmp_path / "cache").values()
    assert list(prepared.preprocessor.columns) == ["amount", "colour", "yes"]
    assert prepared.target_info["delay"].labelled < len(prepared.splits["train"])


def test_it_says_why_a_column_is_no_feature(table, tmp_path):
    text = suite_text("mine", starts([table], ["late"], tmp_path))
    assert '- "who: me"   # an identifier or a free text: 400 levels in 400 values' in text
    assert "- empty   # every value is null" in text
    assert '"yes": number' in text, "a word that YAML might read as a truth value is quoted"


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["dely"], "--target: no file has a column 'dely'. Did you mean 'delay'?"),
        (["empty"], "--target: 'empty' has no value; there is nothing to learn."),
    ],
)
def test_a_target_that_cannot_be_one_is_refused(table, tmp_path, targets, said):
    with pytest.raises(UserError) as caught:
        starts([table], targets, tmp_path)
    assert str(caught.value) == said


def test_what_the_checks_recommend_is_written_with_its_reason_and_trains(tmp_path):
    rows = pd.DataFrame(
        {
            "when": pd.date_range("2024-01-01", periods=ROWS, freq="h"),
            "town": ["Ulm", "?", "Graz", "Bern"] * (ROWS // 4),
            "told": [i % 2 + i / 1000 for i in range(ROWS)],
            "late": [i % 2 for i in range(ROWS)],
        }
    )
    rows.to_parquet(tmp_path / "trips.parquet")
    text = suite_text("mine", starts([tmp_path / "trips.parquet"], ["late"], tmp_path))
    assert '    clean: [{name: levels, null: ["?"]}, missing, outliers, rare_levels]   # these texts look' in text
    assert '    split: {by: time, column: "when", validation: 0.1, test: 0.2}   # dated rows' in text
    assert "    # told alone tells late: AUC 1.0000. Is it known beforehand?; drop: [told]" in text
    (tmp_path / "suite.yaml").write_text(text)
    (prepared,) = prepare_tables(load(tmp_path / "suite.yaml"), tmp_path / "cache").values()
    assert prepared.schema["town"]["levels"] == ["Bern", "Graz", "Ulm"]
    assert prepared.splits["train"].max() < prepared.splits["test"].min()


def test_a_split_by_time_that_leaves_a_part_without_a_class_is_not_written(tmp_path):
    days = pd.date_range("2024-01-01", periods=ROWS)
    rows = pd.DataFrame({"when": days, "x": range(ROWS), "late": [int(i < 40) for i in range(ROWS)]})
    rows.to_parquet(tmp_path / "trips.parquet")
    assert "split: {by: random" in suite_text("mine", starts([tmp_path / "trips.parquet"], ["late"], tmp_path))


def people(**more):
    """400 visits of 40 people, whose label is a person's own."""
    person = np.random.default_rng(0).permutation(np.arange(ROWS) % 40)
    rows = {"patientId": person + 100, "pulse": np.arange(ROWS) % 37 + 50, **more, "ill": (person % 2).astype(int)}
    return pd.DataFrame(rows)


def test_rows_of_one_person_are_kept_on_one_side_with_the_reason(tmp_path):
    people().to_csv(tmp_path / "visits.csv", index=False)
    made = starts([tmp_path / "visits.csv"], ["ill"], tmp_path)
    text = suite_text("mine", made)
    reason = "40 values of about 10 rows each, which by its name belong together: no test row's value is trained on"
    assert f'    split: {{by: group, column: "patientId", validation: 0.1, test: 0.2}}   # {reason}' in text
    assert "patientId: number" not in text, "what the split goes by is no feature"
    (tmp_path / "suite.yaml").write_text(text)
    (prepared,) = prepare_tables(load(tmp_path / "suite.yaml"), tmp_path / "cache").values()
    assert list(prepared.preprocessor.columns) == ["pulse"]
    who = people()["patientId"].to_numpy()
    assert not set(who[prepared.splits["train"]]) & set(who[prepared.splits["test"]])


def test_time_wins_over_groups_and_says_so(tmp_path):
    people(seen=pd.date_range("2024-01-01", periods=ROWS)).to_parquet(tmp_path / "visits.parquet")
    text = suite_text("mine", starts([tmp_path / "visits.parquet"], ["ill"], tmp_path))
    assert (
        '    split: {by: time, column: "seen", validation: 0.1, test: 0.2}   # dated rows: the last ones are asked'
        in text
    )
    assert (
        'patientId has 40 values of about 10 rows each, which by its name belong together; {by: group, column: "'
        in text
    )
    assert "      patientId: number" in text, "it stays a feature"


def test_groups_that_leave_a_part_without_a_class_are_not_split_by(tmp_path):
    rows = people().assign(ill=lambda rows: (rows["patientId"] < 102).astype(int))
    rows.to_csv(tmp_path / "visits.csv", index=False)
    text = suite_text("mine", starts([tmp_path / "visits.csv"], ["ill"], tmp_path))
    assert "split: {by: random" in text
    assert "# the rarest class of ill" in text, "the checks had their say"


def test_equal_rows_are_counted_under_the_split_that_is_written(tmp_path):
    half = ROWS // 2
    rows = pd.DataFrame(
        {"when": pd.date_range("2024-01-01", periods=half), "x": range(half), "late": [0, 1] * (half // 2)}
    )
    pd.concat([rows, rows]).to_parquet(tmp_path / "trips.parquet")
    text = suite_text("mine", starts([tmp_path / "trips.parquet"], ["late"], tmp_path))
    assert "split: {by: time" in text
    assert "equal to a training row" not in text, "rows of one moment stay together"
    pd.concat([rows, rows]).drop(columns="when").to_parquet(tmp_path / "undated.parquet")
    assert "equal to a training row" in suite_text("mine", starts([tmp_path / "undated.parquet"], ["late"], tmp_path))
