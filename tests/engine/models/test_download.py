"""Fetching models from a hub on loopback: what is fetched, checked, stopped, gone on with and taken away."""

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
import torch
from safetensors.torch import save

from engine.commands import models
from engine.models import catalogue, download
from engine.models.hub_errors import hub_told
from host_bridge.errors import BadModel, BadRequest, Cancelled, CannotWrite, ZeroStemError

if TYPE_CHECKING:
    from tests.engine.hub import Hub

pytestmark = pytest.mark.slow

NAME, S = "audioldm-s-full-v2", "cvssp/audioldm-s-full-v2"
UNET = "unet/diffusion_pytorch_model.safetensors"
ROWS = catalogue.LAYOUTS["audioldm"]


def checkpoint() -> dict[str, bytes]:
    """Every file of a checkpoint, both forms of its weights, and one that nobody needs."""
    files = {"README.md": b"---\nlicense: mit\n---\n", "audioldm.ckpt": b"x" * 5000}
    for name in sorted({name for row in ROWS for name in row}):
        if name.endswith(".safetensors"):
            files[name] = save({name: torch.zeros(500)})
        elif name.endswith(".bin"):
            files[name] = b"\x80" * 3000
        else:
            files[name] = json.dumps({"_class_name": "AudioLDMPipeline", "of": name}).encode()
    return files


@pytest.fixture
def stocked(hub: "Hub") -> "Hub":
    hub.repositories[S] = checkpoint()
    return hub


def planned(name: str = NAME) -> download.DownloadPlan:
    wanted = download.plan(name)
    assert wanted
    return wanted


def whole(name: str = NAME) -> catalogue.InstalledModel:
    return download.fetch(planned(name))


def test_a_plan_says_what_would_be_fetched_and_fetches_nothing(stocked: "Hub", tmp_path: Path) -> None:
    wanted = planned()
    assert wanted.missing == wanted.pieces
    assert wanted.size == sum(len(stocked.repositories[S][piece.name]) for piece in wanted.pieces)
    assert stocked.requests == [f"GET /api/models/{S}"]
    assert not (tmp_path / "home").exists()


def test_only_what_the_backbone_reads_is_fetched_and_the_words_around_it(stocked: "Hub") -> None:
    found = whole()
    assert found == catalogue.find(NAME)
    sent = set(stocked.sent())
    assert {row[0] for row in ROWS} | {"README.md"} <= sent
    assert not any(name.endswith((".bin", ".ckpt")) for name in sent)


def test_weights_in_several_files_are_fetched_with_their_index_and_no_other_form(hub: "Hub") -> None:
    files = checkpoint()
    for name in [name for name in files if name.startswith("unet/diffusion_pytorch_model")]:
        del files[name]
    stem = "unet/diffusion_pytorch_model"
    parts = [f"{stem}-0000{number}-of-00002.safetensors" for number in (1, 2)]
    places = {name: Path(name).name for name in parts}
    files |= {name: save({name: torch.zeros(500)}) for name in parts}
    files[f"{stem}.safetensors.index.json"] = json.dumps({"weight_map": places}).encode()
    files |= {f"{stem}.bin": b"\x80" * 3000, f"{stem}.fp16-00001-of-00001.safetensors": save({"x": torch.zeros(9)})}
    hub.repositories[S] = files
    found = whole()
    assert {*parts, f"{stem}.safetensors.index.json"} <= {*found.files}
    assert [name for name in hub.sent() if name.startswith(stem)] == sorted([*parts, f"{stem}.safetensors.index.json"])
    assert set(download.verify(found).values()) == {True}


def test_half_precision_is_fetched_only_where_there_is_nothing_else(stocked: "Hub") -> None:
    half = UNET.replace(".safetensors", ".fp16.safetensors")
    stocked.repositories[S][half] = save({"x": torch.zeros(400)})
    assert half not in {piece.name for piece in planned().pieces}
    for name in (UNET, UNET.replace(".safetensors", ".bin")):
        del stocked.repositories[S][name]
    assert half in {piece.name for piece in planned().pieces}
    assert half in whole().files


def test_a_t5_tokenizer_that_could_not_be_read_is_refused_before_anything_is_fetched(hub: "Hub") -> None:
    rows = catalogue.LAYOUTS["audioldm2"]
    files = {row[0]: b'{"of": "audioldm2"}' for row in rows if row[0] != "tokenizer_2/tokenizer.json"}
    hub.repositories["cvssp/audioldm2"] = files | {"tokenizer_2/spiece.model": b"pieces"}
    with pytest.raises(BadModel, match=r"has no tokenizer_2/tokenizer\.json"):
        download.plan("audioldm2")
    assert not hub.sent()


def test_the_catalogues_name_and_the_hubs_id_mean_the_same(stocked: "Hub") -> None:
    assert planned(S).weights is planned(NAME).weights


def test_progress_goes_from_nothing_to_all_and_names_files_and_bytes(stocked: "Hub") -> None:
    told: list[tuple[float, str]] = []
    download.fetch(planned(), lambda done, said: told.append((done, said)))
    shares = [done for done, _ in told]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert any(UNET in said and " of " in said for _, said in told)


def test_what_is_here_is_not_fetched_again(stocked: "Hub") -> None:
    whole()
    before = len(stocked.sent())
    assert not planned().missing
    assert len(stocked.sent()) == before


def test_stopping_keeps_whole_files_and_nothing_of_the_one_that_was_cut_off(stocked: "Hub", tmp_path: Path) -> None:
    told: list[str] = []

    def stop(_done: float, said: str) -> None:
        told.append(said)
        if sum(f"fetching {UNET}" in each for each in told) == 2:  # its first bytes are here
            raise Cancelled

    with pytest.raises(Cancelled):
        download.fetch(planned(), stop)
    assert not [*(tmp_path / "home").rglob("*.incomplete")]
    there = stocked.sent()
    left = {piece.name for piece in planned().missing}
    assert UNET in left
    assert left.isdisjoint(there[:-1])
    whole()
    assert stocked.sent().count(there[0]) == 1


def test_a_large_file_can_be_stopped_every_ten_mebibytes(stocked: "Hub") -> None:
    stocked.repositories[S][UNET] = save({"x": torch.zeros(6 << 20)})  # 24 MiB
    wanted, steps = planned(), [0.0]
    download.fetch(wanted, lambda done, said: steps.append(done) if f"fetching {UNET}" in said else None)
    assert max(b - a for a, b in pairwise(steps)) * wanted.size <= 10 << 20


def test_a_file_with_other_bytes_than_the_hub_promises_is_not_kept(stocked: "Hub") -> None:
    real = stocked.repositories[S][UNET]
    stocked.bent[UNET] = real[:-1] + b"!"
    with pytest.raises(BadModel, match=r"arrived damaged") as caught:
        whole()
    assert caught.value.todo == f"Fetch it again: `zerostem models fetch {NAME}`."
    stocked.bent.clear()
    assert download.verify(whole())[UNET]


def test_a_truncated_file_is_told_in_a_sentence(stocked: "Hub") -> None:
    stocked.bent[UNET] = stocked.repositories[S][UNET][:-100]
    with pytest.raises(BadModel, match=r"arrived cut short"):
        whole()
    assert UNET in {piece.name for piece in planned().missing}


def test_damage_on_the_disk_is_found_and_mended_by_fetching_again(stocked: "Hub") -> None:
    found = whole()
    assert set(download.verify(found).values()) == {True}
    file = (found.folder / UNET).resolve()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert [name for name, good in download.verify(catalogue.find(NAME)).items() if not good] == [UNET]
    assert [piece.name for piece in planned().missing] == [UNET]
    assert set(download.verify(whole()).values()) == {True}


def test_files_of_a_folder_have_no_digests_to_compare_with(tmp_path: Path, stocked: "Hub") -> None:
    shutil.copytree(whole().folder, tmp_path / "copy")
    assert set(download.verify(catalogue.at(tmp_path / "copy")).values()) == {None}


def test_a_disk_too_small_is_told_before_anything_is_fetched(stocked: "Hub", monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = planned()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    with pytest.raises(CannotWrite, match="HF_HOME"):
        download.fetch(wanted)
    assert not stocked.sent()


def test_a_gated_model_says_where_to_accept_its_terms(stocked: "Hub") -> None:
    stocked.gated.add(S)
    with pytest.raises(BadModel, match="is gated") as caught:
        whole()
    assert f"https://huggingface.co/{S}" in caught.value.todo


def test_what_a_checkpoint_leaves_to_another_repository_is_fetched_with_it(hub: "Hub") -> None:
    rows = catalogue.LAYOUTS["tango"]
    files = {row[0]: b"\x80" + row[0].encode() * 200 for row in rows}
    hub.repositories["declare-lab/tango"] = files | {name: b'{"of": "tango"}' for name in files if name.endswith(".json")}
    text = "google/flan-t5-large"
    hub.repositories[text] = {name: name.encode() for name in ("config.json", "tokenizer_config.json", "tokenizer.json")}
    hub.repositories[text]["model.safetensors"] = b"x" * 5000
    found = whole("tango")
    assert found == catalogue.find("tango")
    folder = catalogue.folder_of(text)
    assert folder
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "tokenizer.json", "tokenizer_config.json"]
    assert not planned("tango").missing


def test_a_repository_that_is_not_there_is_told(hub: "Hub") -> None:
    with pytest.raises(BadRequest, match="no somebody/something on the hub"):
        download.plan("somebody/something")


def test_without_a_hub_there_is_one_sentence(hub: "Hub", monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(BadModel, match="could not be fetched from the hub"):
        download.plan(NAME)


def test_offline_nobody_is_asked(stocked: "Hub", monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    found = whole()
    before = len(stocked.requests)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(BadModel, match="HF_HUB_OFFLINE"):
        download.plan(NAME)
    assert catalogue.find(NAME) == found
    assert set(download.verify(found).values()) == {True}
    assert len(stocked.requests) == before


def test_someone_elses_checkpoint_is_fetched_by_what_its_index_says(hub: "Hub") -> None:
    hub.repositories["somebody/theirs"] = checkpoint()
    found = whole("somebody/theirs")
    assert (found.weights.backbone, found.weights.licence) == ("audioldm", "mit")


@pytest.mark.parametrize(
    ("index", "said"), [(None, "no model_index.json"), (b'{"_class_name": "FluxPipeline"}', "made for FluxPipeline")]
)
def test_a_repository_that_nothing_here_runs_is_refused(hub: "Hub", index: bytes | None, said: str) -> None:
    hub.repositories["somebody/theirs"] = {"README.md": b"hello"} | ({"model_index.json": index} if index else {})
    with pytest.raises(BadModel, match=said):
        download.plan("somebody/theirs")
    assert {"README.md", "model_index.json"} >= set(hub.sent())


def test_a_checkpoint_that_lacks_a_part_is_refused_before_it_is_fetched(stocked: "Hub") -> None:
    for name in [name for name in stocked.repositories[S] if name.startswith("vocoder/")]:
        del stocked.repositories[S][name]
    with pytest.raises(BadModel, match=r"has no vocoder/config\.json"):
        download.plan(NAME)


def test_a_model_is_removed_and_its_bytes_are_counted(stocked: "Hub", tmp_path: Path) -> None:
    size = planned().size
    whole()
    assert download.remove(NAME) == size
    with pytest.raises(BadModel, match="is not on this machine"):
        catalogue.find(NAME)
    with pytest.raises(BadModel, match="is not on this machine"):
        download.remove(NAME)


def test_what_comes_along_is_neither_fetched_nor_removed(hub: "Hub") -> None:
    assert download.plan("pocket") is None
    with pytest.raises(BadRequest, match="comes with ZeroStem"):
        download.remove("pocket")
    assert not hub.requests


def test_the_command_line_fetches_checks_finds_and_removes(stocked: "Hub", capsys: pytest.CaptureFixture[str]) -> None:
    assert models.main(["fetch", NAME, "--dry-run"]) == 0
    assert not stocked.sent()
    told = capsys.readouterr().out
    assert "CC BY-NC-SA 4.0 (non-commercial)" in told
    assert f"https://huggingface.co/{S}" in told
    assert models.main(["fetch", NAME]) == 0
    assert models.main(["verify", NAME, "--files"]) == 0
    capsys.readouterr()
    assert models.main(["where", NAME]) == 0
    assert Path(capsys.readouterr().out.strip()) == catalogue.find(NAME).folder
    assert models.main(["verify", NAME, "--files", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["files"].values()) == {True}
    assert models.main(["fetch", NAME]) == 0
    assert "here and whole" in capsys.readouterr().out
    assert models.main(["remove", NAME]) == 1
    assert "Nothing was removed" in capsys.readouterr().err
    assert models.main(["remove", NAME, "--yes"]) == 0
    with pytest.raises(BadModel, match="not on this machine"):
        models.main(["where", NAME])
    assert models.main(["fetch", "pocket"]) == 0


def test_stopping_on_the_command_line_says_what_stays(
    stocked: "Hub", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "fetch", stop)
    with pytest.raises(KeyboardInterrupt):
        models.main(["fetch", NAME])
    assert "The files that arrived whole stay" in capsys.readouterr().err


def test_a_damaged_file_is_named_on_the_command_line(stocked: "Hub") -> None:
    file = (whole().folder / UNET).resolve()
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(BadModel, match=f"{UNET} of {NAME} is damaged"):
        models.main(["verify", NAME])


def test_the_users_own_endpoint_and_home_are_honoured(stocked: "Hub", tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE_"))}
    environment |= {"HF_HOME": str(tmp_path / "mine"), "HF_ENDPOINT": stocked.url}
    command = [sys.executable, "-m", "host_bridge", "models", "fetch", NAME]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "mine" / "hub") in done.stdout


def test_a_mirror_that_tells_no_digests_is_believed_the_sizes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1234")
    assert download._whole(tmp_path / "file", download.Piece("file", 4, ""), lambda _: None)
    assert not download._whole(tmp_path / "file", download.Piece("file", 5, ""), lambda _: None)


class Wrong(NamedTuple):
    """What nobody has thought of, and what a person is told about it."""

    error: Exception
    said: str


@pytest.mark.parametrize(
    "wrong",
    [
        Wrong(OSError(28, "No space left on device"), "could not be written"),
        Wrong(RuntimeError("a\nlong\tstory"), "could not be fetched from the hub (a long story)"),
        Wrong(RuntimeError(), "(RuntimeError)"),
        Wrong(ConnectionRefusedError(111, "Connection refused"), "could not be fetched from the hub"),
    ],
)
def test_whatever_else_goes_wrong_is_two_sentences(wrong: Wrong) -> None:
    with pytest.raises(ZeroStemError) as caught, hub_told(NAME, S):
        raise wrong.error
    assert wrong.said in caught.value.what
    assert caught.value.todo
