import time
import types

import pytest

from mmbnft.hooks import BnftWandbHook
from mmbnft.hooks.wandb_hook import resolve_mode


@pytest.fixture(autouse=True)
def no_account(monkeypatch, tmp_path):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def written(path, last):
    """The bytes of W&B's file once its service, a process of its own, has written `last`."""
    for _ in range(200):
        if last in path.read_bytes():
            break
        time.sleep(0.1)
    return path.read_bytes()


def test_auto_is_offline_unless_the_variable_says_otherwise(monkeypatch):
    assert resolve_mode("auto") == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    assert resolve_mode("auto") == "offline"
    monkeypatch.setenv("WANDB_MODE", "online")
    assert resolve_mode("auto") == "online"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert resolve_mode("auto") == "off"


def test_online_works_after_wandb_login(tmp_path):
    (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password secret\n")
    (tmp_path / "netrc").chmod(0o600)
    assert resolve_mode("online") == "online"


def test_real_offline_run_holds_config_steps_and_summary(start, small_model, tmp_path):
    options = dict(project="proj", name="run-name", config={"protocol": "bn_paper"}, interval=1, folder=str(tmp_path))
    options |= dict(group="a-study", tags=("ckpt-tag", "bn_paper"))
    hook = BnftWandbHook(**options, finish=False)
    start(small_model("linear"), [(hook, "VERY_LOW")])
    hook.close({"closing_value": 91.5})
    (path,) = tmp_path.glob("wandb/offline-run-*/run-*.wandb")
    content = written(path, b"91.5")
    for text in (b"run-name", b"proj", b"bn_paper", b"train/loss", b"closing_value", b"91.5", b"a-study", b"ckpt-tag"):
        assert text in content


def test_steps_grow_over_the_phases_of_a_protocol(start, small_model, tmp_path, monkeypatch):
    logged, summary = [], {}
    fake = types.SimpleNamespace(summary=summary, finish=lambda: None)
    fake.log = lambda tags, step: logged.append((step, tags))
    opened = []
    monkeypatch.setattr("wandb.init", lambda **options: opened.append(options) or fake)
    hook = BnftWandbHook(interval=1, folder=str(tmp_path), finish=False)
    start(small_model("linear"), [(hook, "VERY_LOW")])
    del hook.priority
    start(small_model("bn"), [(hook, "VERY_LOW")])
    hook.close({"value": 1.0})
    assert [step for step, _ in logged] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert all("train/loss" in tags and "learning_rate" in tags for _, tags in logged)
    assert len(opened) == 1
    assert opened[0]["mode"] == "offline"
    assert summary == {"value": 1.0}


def test_off_writes_nothing(start, small_model, tmp_path):
    start(small_model("linear"), [(BnftWandbHook(mode="off", folder=str(tmp_path / "w")), "VERY_LOW")])
    assert not (tmp_path / "w").exists()
