from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import feather, parquet

import scorematching as sm
from cli.calls import DECLARED, STEPS, TINY, Cli, csv_text, rows
from scorematching import fitting
from scorematching.storage import read_snapshot, unpack_tensors
from scorematching.training import Record

SMALL = ("--max-steps", STEPS)


def weights(run: Path) -> dict[str, torch.Tensor]:
    """The tensors of the model in a run."""
    return unpack_tensors(read_snapshot(run / "model").files["weights.safetensors"])


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether all tensors are equal bit for bit."""
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def files(folder: Path) -> set[Path]:
    """All files and folders in a folder."""
    return set(folder.rglob("*"))


# ------------------------------------------------------------------------- what a fit leaves


def test_a_fit_says_what_it_resolved_before_it_trains(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    train = fitting.fit

    def fit(*args: object, **options: object) -> object:
        said.append(sys.stderr.getvalue())  # type: ignore[attr-defined]
        settings = json.loads((tmp_path / "run" / "settings.json").read_text())
        said.extend(f"{name}: {why}" for name, why in settings["reasons"].items())
        return train(*args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(fitting, "fit", fit)
    call = cli("fit", table, "--out", tmp_path / "run", "--config", tiny, *SMALL, *DECLARED)
    assert call.status == 0, call.err
    before, reasons = said[0], said[1:]
    assert "80 rows × 4 columns" in before
    assert "whole numbers in count" in before
    assert "label 'kind' of 2 classes" in before
    assert len(reasons) >= 4
    for reason in reasons:
        name, _, why = reason.partition(": ")
        assert any(name in line and why in line for line in before.splitlines()), reason
    assert "held out" not in before
    after = call.err.removeprefix(before)
    assert f"{STEPS} steps" in after
    assert "nats a row" in after
    assert f"scorematching sample {tmp_path / 'run'} -n 1000 --out samples.csv" in after
    assert call.out == ""
    assert "Warning" not in call.err


def test_the_json_of_a_fit_holds_the_keys_that_its_help_names(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path
) -> None:
    call = cli(
        "fit", table, "--out", tmp_path / "run", "--config", tiny, *SMALL, *DECLARED, "--json", "-q"
    )  # fmt: skip
    assert call.status == 0
    assert call.err == ""
    found = call.json
    assert set(found) == {
        "command", "run", "dry_run", "resumed", "data", "event", "columns", "label",
        "condition", "classes", "seed", "device", "configuration", "reasons", "parameters", "notes",
        "next", "steps", "seconds", "held_out", "report",
    }  # fmt: skip
    text = " ".join(cli("fit", "--help").out.replace("│", " ").split())
    for key in found:
        assert key in text
    assert found["columns"] == ["count", "price, net", "share", "Größe"]
    assert found["event"] == [4]
    assert found["steps"] == STEPS
    assert found["held_out"]["rows"] == 8
    model = sm.load(tmp_path / "run")
    assert found["configuration"] == model.configuration.model_dump(mode="json")
    assert found["reasons"] == model.reasons


def test_the_held_out_log_density_is_that_of_the_rows_left_out(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path
) -> None:
    extra = {name: cells[:9] for name, cells in rows(90).items()}
    (tmp_path / "more.csv").write_text(csv_text(extra), encoding="utf-8")
    call = cli(
        "fit", table, "--out", tmp_path / "run", "--config", tiny, *SMALL, *DECLARED, "--json",
        "--validation-data", tmp_path / "more.csv",
    )  # fmt: skip
    assert call.status == 0, call.err
    listed = cli(
        "loglik", tmp_path / "run", tmp_path / "more.csv", "--out", tmp_path / "l.csv", "--json"
    )
    assert call.json["held_out"]["rows"] == listed.json["rows"] == 9
    assert call.json["held_out"]["mean"] == pytest.approx(listed.json["mean"], abs=1e-9)
    assert call.json["held_out"]["std_error"] == pytest.approx(listed.json["std_error"], abs=1e-9)


def test_the_same_seed_fits_the_same_model_and_another_seed_another(
    cli: Cli, tmp_path: Path, run: Path, table: Path, tiny: Path
) -> None:
    for seed in (0, 1):
        folder = tmp_path / str(seed)
        options = ("--config", tiny, *SMALL, *DECLARED, "--seed", seed)
        assert cli("fit", table, "--out", folder, *options).status == 0
    assert same(weights(tmp_path / "0"), weights(run))
    assert not same(weights(tmp_path / "1"), weights(run))


def test_python_loads_what_the_command_line_fitted(run: Path) -> None:
    model = sm.load(run)
    drawn = model.sample(3, seed=2)
    assert drawn.values.shape == (3, 4)


def test_columns_are_modelled_in_the_order_asked_for_and_dropped_ones_are_not(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path
) -> None:
    common = ("--config", tiny, *SMALL, "--json")
    first = cli("fit", table, "--out", tmp_path / "a", "--columns", "Größe,count", *common)
    assert first.json["columns"] == ["Größe", "count"]
    second = cli(
        "fit", table, "--out", tmp_path / "b", *common,
        "--drop", "kind", "--drop", '"price, net",share',
    )  # fmt: skip
    assert second.json["columns"] == ["count", "Größe"]


# ------------------------------------------------------------------------- every form of data


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".feather", ".arrow"])
def test_tables_come_back_in_their_own_form(
    cli: Cli, tmp_path: Path, tiny: Path, ending: str
) -> None:
    columns = rows()
    data = tmp_path / f"data{ending}"
    if ending in (".csv", ".tsv"):
        text = csv_text(columns, "," if ending == ".csv" else "\t")
        data.write_text(text, encoding="utf-8")
    elif ending == ".parquet":
        parquet.write_table(pa.table(columns), data)
    else:
        feather.write_feather(pa.table(columns), str(data))
    fitted = cli("fit", data, "--out", tmp_path / "run", "--config", tiny, *SMALL, *DECLARED)
    assert fitted.status == 0, fitted.err
    assert fitted.err.rstrip().endswith(f"--out samples{ending}")
    call = cli("sample", tmp_path / "run", "-n", 7, "--out", tmp_path / f"samples{ending}")
    assert call.status == 0, call.err
    if ending == ".csv":
        assert (tmp_path / "samples.csv").read_text().startswith('count,"price, net",kind,')
        return
    if ending == ".tsv":
        header = (tmp_path / "samples.tsv").read_text().splitlines()[0]
        assert header.split("\t") == [*columns]
        return
    path = tmp_path / f"samples{ending}"
    found = parquet.read_table(path) if ending == ".parquet" else feather.read_table(str(path))
    assert found.column_names == [*columns]
    assert pa.types.is_integer(found["count"].type)
    assert found.num_rows == 7


def test_arrays_and_images_come_back_in_their_own_form(
    cli: Cli, tmp_path: Path, tiny: Path, tiny_images: Path
) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 5)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    fitted = cli("fit", tmp_path / "x.npy", "--out", tmp_path / "x", "--config", tiny, *SMALL)
    assert fitted.status == 0, fitted.err
    assert cli("sample", tmp_path / "x", "-n", 3, "--out", tmp_path / "x3.npy").status == 0
    drawn = np.load(tmp_path / "x3.npy")
    assert (drawn.shape, drawn.dtype) == ((3, 5), np.float32)

    pixels = rng.integers(0, 256, (30, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "i.npy", pixels)
    fitted = cli("fit", tmp_path / "i.npy", "--out", tmp_path / "i", "--config", tiny_images,
                 "--max-steps", 2)  # fmt: skip
    assert fitted.status == 0, fitted.err
    assert cli("sample", tmp_path / "i", "-n", 3, "--out", tmp_path / "i3.npy").status == 0
    drawn = np.load(tmp_path / "i3.npy")
    assert (drawn.shape, drawn.dtype) == ((3, 8, 8), np.uint8)


def test_a_folder_of_images_gives_a_folder_of_images_a_class_a_subfolder(
    cli: Cli, tmp_path: Path, tiny_images: Path
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        for k in range(8):
            picture = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
            picture.save(tmp_path / "in" / name / f"{k}.png")
    fitted = cli(
        "fit", tmp_path / "in", "--label", "kind", "--out", tmp_path / "run",
        "--config", tiny_images, "--max-steps", 2,
    )  # fmt: skip
    assert fitted.status == 0, fitted.err
    assert fitted.err.rstrip().endswith("--out samples")
    out = tmp_path / "drawn"
    assert cli("sample", tmp_path / "run", "-n", 4, "--label", "b", "--out", out).status == 0
    found = sorted(out.rglob("*.png"))
    assert [each.parent.name for each in found] == ["b"] * 4
    with Image.open(found[0]) as picture:
        assert (picture.mode, picture.size) == ("RGB", (8, 8))


def test_a_builtin_set_with_its_label_goes_all_the_way(
    cli: Cli, tmp_path: Path, tiny_images: Path
) -> None:
    fitted = cli(
        "fit", "builtin:digits", "--label", "target", "--out", tmp_path / "run",
        "--config", tiny_images, "--max-steps", 3, "--json",
    )  # fmt: skip
    assert fitted.status == 0, fitted.err
    assert fitted.json["classes"] == [str(k) for k in range(10)]
    drawn = cli("sample", tmp_path / "run", "-n", 5, "--label", 7, "--out", tmp_path / "x.npz")
    assert drawn.status == 0, drawn.err
    with np.load(tmp_path / "x.npz") as found:
        assert found["x"].shape == (5, 1, 8, 8)
        assert found["y"].tolist() == [7] * 5


# ---------------------------------------------------------------------------------- resuming


def interrupt_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send this process a SIGINT while it trains the given step."""
    shown = fitting.shown

    def raising(records: object, *, quiet: bool) -> object:
        for record in shown(records, quiet=quiet):  # type: ignore[arg-type]
            assert isinstance(record, Record)
            if record.step == step:
                signal.raise_signal(signal.SIGINT)
            yield record

    monkeypatch.setattr(fitting, "shown", raising)


def test_a_resumed_run_needs_no_option_and_equals_the_one_never_stopped(
    cli: Cli, tmp_path: Path, run: Path, table: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    with monkeypatch.context() as patch:
        interrupt_at(5, patch)
        stopped = cli("fit", table, "--out", out, "--config", tiny, *SMALL, *DECLARED)
    assert stopped.status == 130
    assert f"scorematching fit --out {out} --resume {table}" in stopped.error
    assert not (out / "model").exists()

    refused = cli("fit", table, "--out", out, "--config", tiny, *SMALL, *DECLARED)
    assert refused.status == 2
    assert "--resume" in refused.error
    early = cli("sample", out, "--out", tmp_path / "s.csv")
    assert early.status == 2
    assert "stopped before its end" in early.error

    settings = (out / "settings.json").read_bytes()
    assert cli("fit", table, "--out", out, "--resume").status == 0
    assert same(weights(out), weights(run))
    assert (out / "settings.json").read_bytes() == settings
    steps = [json.loads(line)["step"] for line in (out / "log.jsonl").read_text().splitlines()]
    assert steps == list(range(1, STEPS + 1))


def test_a_run_stopped_before_its_first_checkpoint_starts_again_with_its_settings(
    cli: Cli, tmp_path: Path, run: Path, table: Path
) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "settings.json").write_bytes((run / "settings.json").read_bytes())
    call = cli("fit", table, "--out", out, "--resume")
    assert call.status == 0, call.err
    assert "from the start" in call.err
    assert same(weights(out), weights(run))


def test_resuming_a_finished_run_trains_no_more(cli: Cli, run: Path, table: Path) -> None:
    before, log = weights(run), (run / "log.jsonl").read_bytes()
    call = cli("fit", table, "--out", run, "--resume")
    assert call.status == 0, call.err
    assert same(weights(run), before)
    assert (run / "log.jsonl").read_bytes() == log


def test_a_log_that_is_gone_is_not_missed(cli: Cli, tmp_path: Path, run: Path, table: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "log.jsonl").unlink()
    call = cli("fit", table, "--out", tmp_path / "run", "--resume", "--json")
    assert call.status == 0, call.err
    assert call.json["steps"] is None


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--seed", 1), "--seed is 1 and was 0"),
        (("--max-steps", 99), "--max-steps is 99 and was 12"),
        (("--drop", "count"), "--drop is ['count'] and was None"),
        (("--label", "share"), "--label is 'share' and was 'kind'"),
        (("--bounds", "share=0:2"), "--bounds"),
        (("--time-limit", 5), "--time-limit"),
    ],
)
def test_options_that_differ_on_resuming_are_named(
    cli: Cli, run: Path, table: Path, options: tuple[object, ...], named: str
) -> None:
    call = cli("fit", table, "--out", run, "--resume", *options)
    assert call.status == 2
    assert named in call.error
    assert "leave them out" in call.error


def test_the_same_options_may_be_repeated_on_resuming(
    cli: Cli, run: Path, table: Path, tiny: Path
) -> None:
    options = ("--config", tiny, *SMALL, *DECLARED, "--seed", 0)
    assert cli("fit", table, "--out", run, "--resume", *options).status == 0


def test_another_configuration_or_other_rows_on_resuming_are_refused(
    cli: Cli, tmp_path: Path, run: Path, table: Path
) -> None:
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**TINY, "training": {"n_members": 1, "learning_rate": 0.1}}))
    call = cli("fit", table, "--out", run, "--resume", "--config", other)
    assert call.status == 2
    assert "--config differs" in call.error

    shuffled = {name: cells[::-1] for name, cells in rows().items()}
    (tmp_path / "table.csv").write_text(csv_text(shuffled), encoding="utf-8")
    call = cli("fit", tmp_path / "table.csv", "--out", run, "--resume")
    assert call.status == 2
    assert "not the 80 rows of the run" in call.error

    (tmp_path / "moved.csv").write_bytes(table.read_bytes())
    assert cli("fit", tmp_path / "moved.csv", "--out", run, "--resume").status == 0


def test_there_must_be_a_run_to_resume(cli: Cli, tmp_path: Path, table: Path) -> None:
    call = cli("fit", table, "--out", tmp_path / "none", "--resume")
    assert call.status == 2
    assert "no run to resume" in call.error
    assert not (tmp_path / "none").exists()


def test_a_finished_run_is_not_fitted_over(cli: Cli, run: Path, table: Path) -> None:
    before = files(run)
    call = cli("fit", table, "--out", run)
    assert call.status == 2
    assert "already holds a finished run" in call.error
    assert files(run) == before


# ------------------------------------------------------------- signals, and two in one folder

ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture
def training(tmp_path: Path, table: Path, tiny: Path) -> subprocess.Popen[str]:
    """A fit in a process of its own, in the middle of more steps than it will ever take."""
    out = tmp_path / "run"
    command = ["fit", str(table), "--out", str(out), "--config", str(tiny), *DECLARED]
    process = subprocess.Popen(
        [sys.executable, "-m", "scorematching", *command, "--max-steps", "1000000"],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 120
    while not (out / "log.jsonl").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def test_a_second_run_in_the_folder_is_refused_and_names_the_first_and_ctrl_c_ends_it(
    cli: Cli, tmp_path: Path, table: Path, training: subprocess.Popen[str]
) -> None:
    out = tmp_path / "run"
    before = (out / "settings.json").read_bytes()
    for options in ((), ("--resume",)):
        second = cli("fit", table, "--out", out, *options)
        assert second.status == 2
        assert f"process {training.pid} " in second.error
    assert (out / "settings.json").read_bytes() == before
    training.send_signal(signal.SIGINT)
    printed, said = training.communicate(timeout=60)
    assert training.returncode == 130, said
    assert printed == ""
    assert "--resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert (out / "checkpoints" / "current").exists()


def test_sigterm_saves_the_run_and_ends_it_with_143(
    tmp_path: Path, training: subprocess.Popen[str]
) -> None:
    training.terminate()
    _, said = training.communicate(timeout=60)
    assert training.returncode == 143, said
    assert (tmp_path / "run" / "checkpoints" / "current").exists()


# ------------------------------------------------------------------------------- dry runs


def test_a_dry_run_says_what_it_would_do_and_touches_nothing(
    cli: Cli, tmp_path: Path, table: Path, tiny: Path
) -> None:
    before = files(tmp_path)
    out = tmp_path / "deep" / "run"
    call = cli("fit", table, "--out", out, "--config", tiny, *DECLARED, "--dry-run", "--json")
    assert call.status == 0, call.err
    assert files(tmp_path) == before
    assert call.json["dry_run"] is True
    assert "steps" not in call.json
    assert "nothing was written" in call.err


def test_a_dry_run_refuses_what_a_run_would(cli: Cli, tmp_path: Path, run: Path) -> None:
    table = tmp_path / "x.csv"
    table.write_text("a,b\n1,2\n3,x\n")
    for arguments in ((table, "--out", tmp_path / "r"), ("builtin:iris", "--out", run)):
        call = cli("fit", *arguments, "--dry-run")
        assert call.status == 2, call.err
    assert not (tmp_path / "r").exists()


# -------------------------------------------------------------------------------- settings


def test_settings_of_a_file_are_taken_and_said_to_be_given(
    cli: Cli, tmp_path: Path, table: Path
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(
        "validation_fraction = 0.2\n[net]\nwidth = 16\nn_blocks = 1\n"
        "[training]\nmax_steps = 12\nvalidate_every = 6\nn_members = 1\n"
    )
    call = cli("fit", table, "--out", tmp_path / "run", "--drop", "kind", "--config", path,
               "--json")  # fmt: skip
    assert call.status == 0, call.err
    configuration = call.json["configuration"]
    assert configuration["net"]["width"] == 16
    assert configuration["training"]["validate_every"] == 6
    assert "as given" in call.json["reasons"]["net.width"]
    log = [json.loads(each) for each in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [each["step"] for each in log if each["validation"] is not None] == [6, 12]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("c.json", '{"training": {"lerning_rate": 1}}', ["lerning_rate"]),
        ("c.json", '{"training": {"learning_rate": -1}}', ["learning_rate", "-1"]),
        ("c.json", "[1]", ["expected an object"]),
        ("c.json", '{"net"', ["not JSON"]),
        ("c.toml", "net = ", ["not TOML"]),
        ("c.yaml", "a: 1", [".json or .toml"]),
        ("c.json", None, ["cannot be read"]),
        ("c.json", '{"training": {"max_steps": 5}}', ["--max-steps", "leave one"]),
    ],
)
def test_a_configuration_that_cannot_be_used_is_an_error(
    cli: Cli, tmp_path: Path, table: Path, name: str, text: str | None, words: list[str]
) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    call = cli("fit", table, "--out", tmp_path / "r", "--drop", "kind", "--config", path, *SMALL)
    assert call.status == 2
    for word in words:
        assert word in call.error
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--device", "abacus"), ["--device 'abacus'", "cpu"]),
        (("--max-steps", 0), ["--max-steps"]),
        (("--time-limit", -1), ["time_limit", "-1"]),
        (("--seed", "x"), ["--seed"]),
        (("--columns", "count,,share"), ["--columns", "empty name"]),
        (("--columns", "conut"), ["'conut'", "'count'"]),
        (("--bounds", "share"), ["NAME=LOW:HIGH"]),
        (("--bounds", "share=1:0"), ["share=1:0", "1 is above 0"]),
        (("--positive", "Größe"), ["'Größe'", "greater than 0"]),
        (("--colums", "a"), ["--colums", "--columns"]),
    ],
)
def test_an_option_that_cannot_be_used_is_an_error(
    cli: Cli, tmp_path: Path, table: Path, options: tuple[object, ...], words: list[str]
) -> None:
    call = cli("fit", table, "--out", tmp_path / "r", "--drop", "kind", *options)
    assert call.status == 2
    for word in words:
        assert word in call.error
    assert len(call.err.splitlines()) < 14
    assert not (tmp_path / "r").exists()
