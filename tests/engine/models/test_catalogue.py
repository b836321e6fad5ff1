"""Finding models: what is here, what is missing and by which name, and that nobody is asked on the network."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from engine.backbones import BACKBONES
from engine.models import catalogue
from engine.separators import SEPARATORS
from host_bridge.errors import BadModel, BadRequest

COMMIT = "0123456789abcdef0123456789abcdef01234567"
S = "cvssp/audioldm-s-full-v2"
ROWS = catalogue.LAYOUTS["audioldm"]
FILES = [names[0] for names in ROWS]
NEEDED = sorted(set(FILES))


def fake(folder: Path, rows: tuple[tuple[str, ...], ...] = ROWS, which: int = 0) -> Path:
    """A checkpoint of the right files with nothing in them; `which` 0 takes safetensors, -1 the .bin files."""
    for names in rows:
        file = folder / names[which]
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".safetensors":
            save_file({"x": torch.zeros(8)}, file)
        elif file.suffix == ".bin":
            torch.save({"x": torch.zeros(8)}, file)
        else:
            file.write_text(json.dumps({"_class_name": "AudioLDMPipeline"}) if file.suffix == ".json" else "")
    return folder


def fake_cache(folder: Path, hub: str = S) -> Path:
    """A snapshot where the hub's own commands would have put it, below HF_HOME."""
    repository = folder / "hub" / f"models--{hub.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(COMMIT)
    return fake(repository / "snapshots" / COMMIT)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty HF_HOME and no network."""
    from huggingface_hub import constants

    def refuse(*_: Any) -> None:
        raise AssertionError("something went to the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "home" / "hub"))
    return tmp_path / "home"


def test_the_catalogue_names_backbones_that_exist_and_a_default_in_it() -> None:
    assert {model.backbone for model in catalogue.CATALOGUE.values()} <= {*BACKBONES, *SEPARATORS}
    assert set(catalogue.PIPELINES.values()) <= set(catalogue.LAYOUTS)
    assert catalogue.DEFAULT in catalogue.CATALOGUE


def test_only_free_licences_count_as_commercial() -> None:
    assert {model.licence for model in catalogue.CATALOGUE.values() if model.commercial} == {"MIT"}
    assert "non-commercial" in catalogue.CATALOGUE["audioldm-l-full"].licence


def test_the_embedded_model_is_always_here() -> None:
    found = catalogue.find("pocket")
    assert (found.weights.licence, found.files) == ("MIT", ("pocket.json", "pocket.safetensors"))
    assert found.folder == catalogue.EMBEDDED["pocket"]


@pytest.mark.parametrize("name", ["audioldm-s-full-v2", S])
def test_a_model_that_was_never_fetched_comes_with_the_command_that_fetches_it(name: str) -> None:
    with pytest.raises(BadModel) as caught:
        catalogue.find(name)
    assert caught.value.todo == f"Fetch it: `zerostem models fetch {name}`."


@pytest.mark.parametrize("name", ["audioldm-s-full-v2", S])
def test_a_fetched_model_is_found_in_the_hubs_cache(home: Path, name: str) -> None:
    folder = fake_cache(home)
    found = catalogue.find(name)
    assert found.folder == folder.resolve()
    assert found.weights == catalogue.CATALOGUE["audioldm-s-full-v2"]


def test_a_snapshot_is_known_by_its_path_as_well(home: Path) -> None:
    assert catalogue.find(str(fake_cache(home))).weights.hub == S


def test_hf_home_is_honoured_and_torch_is_not_needed(tmp_path: Path) -> None:
    folder = fake_cache(tmp_path)
    code = f"import sys; from engine.models.catalogue import find; print(find('{S}').folder); assert 'torch' not in sys.modules"
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGINGFACE_"))}
    environment |= {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(folder.resolve())


def test_someone_elses_checkpoint_on_the_hub_runs_by_what_its_index_says(home: Path) -> None:
    fake_cache(home, "somebody/their.audioldm")
    found = catalogue.find("somebody/their.audioldm").weights
    assert (found.name, found.backbone, found.commercial) == ("somebody/their.audioldm", "audioldm", False)


@pytest.mark.parametrize("name", ["audioldm", "", "no/such/folder", "./here", "~nobody-here"])
def test_a_name_that_nobody_knows_is_answered_with_those_that_are_known(name: str) -> None:
    with pytest.raises(BadRequest) as caught:
        catalogue.find(name)
    assert "pocket, audioldm-s-full-v2" in caught.value.todo


def test_an_id_that_no_hub_would_take_is_simply_not_here() -> None:
    with pytest.raises(BadModel, match="is not on this machine"):
        catalogue.find("a/b--c")


@pytest.mark.parametrize("which", [0, -1])
def test_a_folder_is_a_model_with_either_kind_of_file(tmp_path: Path, which: int) -> None:
    found = catalogue.find(str(fake(tmp_path / "mine", which=which)))
    assert (found.weights.name, found.weights.backbone) == ("mine", "audioldm")
    assert set(found.files) == {names[which] for names in ROWS}
    assert found.weights.size == sum((found.folder / file).stat().st_size for file in found.files)


@pytest.mark.parametrize("file", NEEDED)
def test_a_missing_file_is_named(tmp_path: Path, file: str) -> None:
    folder = fake(tmp_path / "mine")
    (folder / file).unlink()
    with pytest.raises(BadModel) as caught:
        catalogue.find(str(folder))
    assert caught.value.what == f"The model mine in {folder} has no {file}."


def test_a_tokenizer_of_two_files_needs_both(tmp_path: Path) -> None:
    folder = fake(tmp_path / "mine", which=-1)
    (folder / "tokenizer" / "merges.txt").unlink()
    with pytest.raises(BadModel, match=r"has no tokenizer/tokenizer\.json"):
        catalogue.find(str(folder))


@pytest.mark.parametrize("file", [file for file in NEEDED if not file.endswith(".txt")])
@pytest.mark.parametrize("left", [0, 9, -1])
def test_a_file_cut_short_is_named(tmp_path: Path, file: str, left: int) -> None:
    folder = fake(tmp_path / "mine")
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[:left])
    with pytest.raises(BadModel, match="is damaged") as caught:
        catalogue.find(str(folder))
    assert str(folder / file) in caught.value.what


def test_what_git_leaves_in_place_of_large_files_is_not_taken_for_weights(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 740000000\n"
    for which, file in ((0, "unet/diffusion_pytorch_model.safetensors"), (-1, "unet/diffusion_pytorch_model.bin")):
        folder = fake(tmp_path / file.replace("/", "-"), which=which)
        (folder / file).write_text(pointer)
        with pytest.raises(BadModel, match="is damaged"):
            catalogue.find(str(folder))


def test_a_bin_file_cut_short_is_named(tmp_path: Path) -> None:
    folder = fake(tmp_path / "mine", which=-1)
    file = folder / "vae" / "diffusion_pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(BadModel, match=r"vae.diffusion_pytorch_model\.bin is damaged"):
        catalogue.find(str(folder))


def test_damage_in_the_hubs_cache_is_mended_by_fetching_again(home: Path) -> None:
    (fake_cache(home) / "vae" / "config.json").write_text("")
    with pytest.raises(BadModel) as caught:
        catalogue.find(S)
    assert caught.value.todo == "Fetch it again: `zerostem models fetch audioldm-s-full-v2`."


def test_a_download_that_stopped_half_way_is_gone_on_with(home: Path) -> None:
    (fake_cache(home) / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(BadModel, match="has no unet/diffusion_pytorch_model") as caught:
        catalogue.find(S)
    assert caught.value.todo == "Fetch it again: `zerostem models fetch audioldm-s-full-v2`."


def test_files_that_were_left_out_on_purpose_are_not_missed(home: Path) -> None:
    folder = fake_cache(home)
    listed = {file: {"size": 1, "blob_id": "0" * 40} for file in (*NEEDED, "unet/diffusion_pytorch_model.bin")}
    listing = folder.parents[1] / "trees" / f"{COMMIT}.json"  # what the hub's commands note of the whole repository
    listing.parent.mkdir()
    listing.write_text(json.dumps({"format_version": 1, "files": listed}))
    assert catalogue.find(S).folder == folder.resolve()


def test_a_checkpoint_for_another_pipeline_is_refused_by_name(tmp_path: Path) -> None:
    folder = fake(tmp_path)
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(BadModel, match="StableDiffusionPipeline"):
        catalogue.find(str(folder))


@pytest.mark.parametrize(
    ("card", "licence", "commercial"),
    [
        (None, "unknown: see the checkpoint's own licence", False),
        ("# No front matter\nlicense: mit\n", "unknown: see the checkpoint's own licence", False),
        ("---\ntags:\n- audio\nlicense: cc-by-nc-sa-4.0\n---\n# A model\n", "cc-by-nc-sa-4.0", False),
        ('---\r\nlicense: "mit"\r\n---\r\n', "mit", True),
        ("---\nlicense: other\nlicense_name: my-own-licence\n---\n", "my-own-licence", False),
    ],
)
def test_the_licence_is_what_the_card_states(tmp_path: Path, card: str | None, licence: str, commercial: bool) -> None:
    folder = fake(tmp_path)
    if card is not None:
        (folder / "README.md").write_bytes(card.encode())
    found = catalogue.find(str(folder)).weights
    assert (found.licence, found.commercial) == (licence, commercial)


def test_the_fingerprint_changes_with_the_weights_alone(tmp_path: Path) -> None:
    folder = fake(tmp_path)
    before = catalogue.at(folder).fingerprint
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    assert catalogue.at(folder).fingerprint == before
    save_file({"x": torch.ones(9)}, folder / "unet" / "diffusion_pytorch_model.safetensors")
    assert catalogue.at(folder).fingerprint != before


def test_a_fingerprint_is_of_the_content_and_not_of_times_and_places(home: Path) -> None:
    folder = fake_cache(home)
    before = catalogue.at(folder).fingerprint
    os.utime(folder / "vae" / "config.json", (1, 1))
    assert catalogue.at(folder).fingerprint == before
    moved = folder.rename(folder.with_name(COMMIT[::-1]))
    assert catalogue.at(moved).fingerprint == before


def test_a_pocket_that_someone_trained_is_a_model_too(tmp_path: Path) -> None:
    folder = fake(tmp_path / "mine", catalogue.LAYOUTS["pocket"])
    assert catalogue.find(str(folder)).weights.backbone == "pocket"


def test_a_model_too_large_for_the_memory_is_told_the_largest_smaller_one_that_is_here(home: Path) -> None:
    large = catalogue.CATALOGUE["audioldm-l-full"].size
    assert catalogue.lighter(large).startswith("ear is here and smaller (0.023 GB)")
    fake_cache(home)
    assert catalogue.lighter(large).startswith("audioldm-s-full-v2 is here and smaller (1.7 GB)")
    assert catalogue.lighter(1).startswith("Close other programs")
