"""What TensorBoard's and MLflow's own readers find of finished runs."""

import importlib.util
import sys
import types
from pathlib import Path

import pytest

from mmbnft.evaluation import finished_runs
from mmbnft.evaluation.finished_runs import attempt, record, to_mlflow, to_tensorboard
from mmbnft.results import Result

DETAILS = {
    "chosen": {"lr": 0.1},
    "search": [{"trial": 0, "lr": 0.01, "val": 40.0}, {"trial": 1, "lr": 0.1, "val": 60.0}],
    "curve": [{"epoch": 1, "loss": 2.0, "lr": 0.1}, {"epoch": 2, "loss": 1.0, "lr": 0.0, "val": 58.0}],
}


def made(number=0, **changes):
    values = dict(
        checkpoint=f"ckpt{number}", task="dtd", protocol="bn", recipe="clean", split=0, seed=3, key=f"{number:064x}",
        status="ok", value=70.0 + number, metric="top1", cost={"seconds": 12.5}, details=DETAILS,
    )  # fmt: skip
    return Result(**(values | changes))


def test_a_record_names_the_run_and_keeps_the_choice():
    one = record(made())
    assert one.name == "ckpt0/dtd/bn/s3"
    assert one.settings == dict(checkpoint="ckpt0", task="dtd", protocol="bn", recipe="clean", split=0, seed=3, lr=0.1)
    assert one.values == {"test/top1": 70.0, "val/best": 60.0, "seconds": 12.5}
    assert record(made(split=2)).name == "ckpt0/dtd/bn/split2/s3"
    assert record(made(details={}, cost={})).values == {"test/top1": 70.0}


def test_tensorboard_has_curves_and_a_row_of_the_hparams_table_for_each_run(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    for _ in range(2):  # a grid is told of again without doubling what is there
        said = to_tensorboard([made(0), made(1)], tmp_path)
    assert said == f"TensorBoard: tensorboard --logdir {tmp_path}"
    found = EventAccumulator(str(tmp_path / "ckpt1/dtd/bn/s3")).Reload()
    losses = found.Scalars("train/loss")
    assert [(point.step, point.value) for point in losses] == [(2, 2.0), (3, 1.0)]
    assert [point.value for point in found.Scalars("search/val")] == [40.0, 60.0]
    assert found.Scalars("val/metric")[0].value == 58.0
    assert found.Scalars("test/top1")[0].value == 71.0
    content = found.PluginTagToContent(metadata.PLUGIN_NAME)
    start = metadata.parse_session_start_info_plugin_data(content[metadata.SESSION_START_INFO_TAG])
    assert start.hparams["checkpoint"].string_value == "ckpt1"
    assert start.hparams["lr"].number_value == 0.1


class FakeClient:
    """The calls of mlflow's client that are used, by its signatures; what it was told is kept by address."""

    told: dict = {}

    def __init__(self, tracking_uri):
        self.runs = self.told.setdefault(tracking_uri, {})

    def get_experiment_by_name(self, name):
        return types.SimpleNamespace(experiment_id=name) if name in self.runs else None

    def create_experiment(self, name):
        self.runs[name] = []
        return name

    def search_runs(self, experiment_ids, filter_string="", max_results=1000):
        runs = self.runs[experiment_ids[0]]
        key = filter_string.partition("= '")[2].removesuffix("'")
        return [run for run in runs if not key or run.data.tags.get("mmbnft.key") == key][:max_results]

    def create_run(self, experiment_id, tags=None, run_name=None):
        data = types.SimpleNamespace(tags=dict(tags or {}), metrics={}, params={})
        info = types.SimpleNamespace(run_id=f"{experiment_id}:{len(self.runs[experiment_id])}", run_name=run_name)
        self.runs[experiment_id].append(types.SimpleNamespace(info=info, data=data, files=[]))
        return self.runs[experiment_id][-1]

    def _run(self, run_id):
        experiment, _, number = run_id.rpartition(":")
        return self.runs[experiment][int(number)]

    def log_batch(self, run_id, metrics=(), params=(), tags=()):
        data = self._run(run_id).data
        data.metrics |= {metric.key: metric.value for metric in metrics}
        data.params |= {param.key: param.value for param in params}

    def log_artifact(self, run_id, local_path):
        assert Path(local_path).is_file()
        self._run(run_id).files.append(local_path)

    def set_terminated(self, run_id):
        self._run(run_id)


def fake_mlflow(monkeypatch):
    Metric = lambda key, value, timestamp, step: types.SimpleNamespace(key=key, value=value)  # noqa: E731
    Param = lambda key, value: types.SimpleNamespace(key=key, value=value)  # noqa: E731
    monkeypatch.setitem(sys.modules, "mlflow", types.ModuleType("mlflow"))
    monkeypatch.setitem(sys.modules, "mlflow.tracking", types.SimpleNamespace(MlflowClient=FakeClient))
    monkeypatch.setitem(sys.modules, "mlflow.entities", types.SimpleNamespace(Metric=Metric, Param=Param))
    return FakeClient


@pytest.fixture(params=["fake", "real"])
def client(request, monkeypatch, tmp_path):
    """The class of the client: a stand-in, and mlflow's own on a store of files where it is installed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path / 'mlruns'}")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    if request.param == "fake":
        return fake_mlflow(monkeypatch)
    if importlib.util.find_spec("mlflow") is None:
        pytest.skip("mlflow is not installed")
    from mlflow.tracking import MlflowClient

    return MlflowClient


def test_mlflow_has_each_run_once_with_its_curve_and_the_report(client, tmp_path):
    (tmp_path / "report.html").write_text("the report")
    for results in ([made(0)], [made(0), made(1)]):
        said = to_mlflow(results, "my-grid", [tmp_path / "report.html"] if len(results) > 1 else [])
    uri = f"file://{tmp_path / 'mlruns'}"
    assert said == f"MLflow: experiment my-grid at {uri}"
    reader = client(tracking_uri=uri)
    runs = reader.search_runs([reader.get_experiment_by_name("my-grid").experiment_id])
    assert sorted(run.info.run_name for run in runs) == ["ckpt0/dtd/bn/s3", "ckpt1/dtd/bn/s3", "my-grid report"]
    (run,) = [run for run in runs if run.info.run_name.startswith("ckpt1")]
    assert (run.data.metrics["test/top1"], run.data.metrics["train/loss"]) == (71.0, 1.0)
    assert (run.data.params["protocol"], run.data.params["lr"]) == ("bn", "0.1")


def test_without_the_variable_mlflow_is_not_even_imported(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(finished_runs.importlib, "import_module", lambda name: pytest.fail(f"imported {name}"))
    assert to_mlflow([made()], "g") == ""


def test_a_tracker_that_fails_is_one_warning(capsys):
    def fails():
        raise ConnectionError("no route to host\nmore")

    assert attempt("MLflow", fails) == ""
    assert capsys.readouterr().err == (
        "warning: nothing was logged to MLflow (no route to host); the results are complete\n"
    )
