"""Tiny random checkpoints in the layouts that the real ones are published in: every shape and formula, none of the beauty."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = 16
"""Width of every text encoder."""

NOISE = {"beta_schedule": "scaled_linear", "clip_sample": False, "set_alpha_to_one": False, "steps_offset": 1}

Builder = Callable[[Path], None]


def loud(network: Any) -> Any:
    """Its convolutions drawn anew: as initialised, a vocoder is all but silent, and a test of it says nothing."""
    for module in network.modules():
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            nn.init.kaiming_normal_(module.weight)
    return network


def roberta(folder: Path) -> int:
    """CLAP's tokenizer, letter by letter; returns how many tokens there are."""
    from transformers import RobertaTokenizer

    vocabulary = {token: i for i, token in enumerate(["<s>", "<pad>", "</s>", "<unk>", "<mask>", *LETTERS, "Ġ"])}
    RobertaTokenizer(vocab=vocabulary, merges=[], model_max_length=32).save_pretrained(folder)
    return len(vocabulary)


def t5(encoder: Path, tokenizer: Path, longest: int = 512) -> Any:
    """A T5 encoder and its tokenizer, letter by letter."""
    from transformers import T5Config, T5EncoderModel, T5Tokenizer

    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((letter, -1.0) for letter in ("▁", *LETTERS))]
    T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=longest).save_pretrained(tokenizer)
    shape = T5Config(vocab_size=32, d_model=WORDS, d_ff=16, d_kv=8, num_layers=1, num_heads=2, feed_forward_proj="gated-gelu")
    made = T5EncoderModel(shape)
    made.save_pretrained(encoder)
    return made


def clap_text() -> Any:
    from transformers import ClapTextConfig

    return ClapTextConfig(
        vocab_size=32,
        hidden_size=WORDS,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=34,
        projection_dim=WORDS,
    )


def mel_vae(factor: float, channels: int = 1, latents: int = 8, widths: tuple[int, ...] = (8, 8, 16)) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(widths),
        up_block_types=("UpDecoderBlock2D",) * len(widths),
        block_out_channels=widths,
        latent_channels=latents,
        layers_per_block=1,
        norm_num_groups=8,
        scaling_factor=factor,
    )


def hifi_gan(bands: int = 64, kernels: tuple[int, ...] = (3,)) -> Any:
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    shape = SpeechT5HifiGanConfig(
        model_in_dim=bands,
        sampling_rate=16_000,
        upsample_initial_channel=32,
        upsample_rates=[5, 4, 2, 2, 2],
        upsample_kernel_sizes=[16, 16, 8, 4, 4],
        resblock_kernel_sizes=list(kernels),
        resblock_dilation_sizes=[[1, 3, 5] for _ in kernels],
        normalize_before=False,
    )
    return loud(SpeechT5HifiGan(shape))


def scheduler(folder: Path, first: float, last: float, **settings: Any) -> None:
    from diffusers import DDIMScheduler

    DDIMScheduler(beta_start=first, beta_end=last, **NOISE, **settings).save_pretrained(folder)


def index(folder: Path, pipeline: str) -> None:
    (folder / "model_index.json").write_text(json.dumps({"_class_name": pipeline}))


def audioldm(folder: Path) -> None:
    from diffusers import UNet2DConditionModel
    from transformers import ClapTextModelWithProjection

    channels = (8, 16, 24, 40)
    UNet2DConditionModel(
        sample_size=(8, 16),
        in_channels=8,
        out_channels=8,
        block_out_channels=channels,
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
        up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
        cross_attention_dim=channels,
        attention_head_dim=8,
        class_embed_type="simple_projection",
        projection_class_embeddings_input_dim=WORDS,
        class_embeddings_concat=True,
    ).save_pretrained(folder / "unet")
    mel_vae(0.9392935633659363).save_pretrained(folder / "vae")
    roberta(folder / "tokenizer")
    ClapTextModelWithProjection(clap_text()).save_pretrained(folder / "text_encoder")
    hifi_gan().save_pretrained(folder / "vocoder")
    scheduler(folder / "scheduler", 0.0015, 0.0195)
    index(folder, "AudioLDMPipeline")


def whole_clap(folder: Path) -> None:
    """Words and ears."""
    from transformers import ClapAudioConfig, ClapConfig, ClapModel

    ear = ClapAudioConfig(
        spec_size=64,
        window_size=4,
        num_mel_bins=64,
        depths=[1, 1],
        num_attention_heads=[1, 1],
        num_hidden_layers=2,
        patch_embeds_hidden_size=8,
        hidden_size=16,
        projection_dim=WORDS,
    )
    clap = ClapConfig(text_config=clap_text().to_dict(), audio_config=ear.to_dict(), projection_dim=WORDS)
    ClapModel(clap).save_pretrained(folder)


def musicldm(folder: Path) -> None:
    audioldm(folder)
    shutil.rmtree(folder / "text_encoder")
    whole_clap(folder / "text_encoder")
    index(folder, "MusicLDMPipeline")


def audioldm2(folder: Path) -> None:
    """With the language model saved without a head, as the published ones are, and the whole of CLAP."""
    from diffusers import AudioLDM2ProjectionModel, AudioLDM2UNet2DConditionModel
    from transformers import ClapFeatureExtractor, GPT2Config, GPT2Model

    AudioLDM2UNet2DConditionModel(
        sample_size=8,
        in_channels=8,
        out_channels=8,
        block_out_channels=(8, 16, 24, 40),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", *["CrossAttnDownBlock2D"] * 3),
        up_block_types=(*["CrossAttnUpBlock2D"] * 3, "UpBlock2D"),
        cross_attention_dim=([None, WORDS, WORDS],) * 4,
        attention_head_dim=8,
    ).save_pretrained(folder / "unet")
    mel_vae(0.4110932946205139).save_pretrained(folder / "vae")
    roberta(folder / "tokenizer")
    whole_clap(folder / "text_encoder")
    ClapFeatureExtractor(feature_size=64).save_pretrained(folder / "feature_extractor")
    t5(folder / "text_encoder_2", folder / "tokenizer_2")
    AudioLDM2ProjectionModel(WORDS, WORDS, WORDS).save_pretrained(folder / "projection_model")
    language = GPT2Config(vocab_size=8, n_positions=64, n_embd=WORDS, n_layer=1, n_head=2, n_ctx=64)
    GPT2Model(language).save_pretrained(folder / "language_model")
    config = folder / "language_model" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"max_new_tokens": 8}))
    hifi_gan().save_pretrained(folder / "vocoder")
    scheduler(folder / "scheduler", 0.0015, 0.0195)
    index(folder, "AudioLDM2Pipeline")


TANGO_UNET = {
    "sample_size": [32, 2],
    "in_channels": 8,
    "out_channels": 8,
    "block_out_channels": [16, 16, 32],
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
    "cross_attention_dim": WORDS,
    "attention_head_dim": [2, 2, 4],
    "use_linear_projection": True,
}


def tango(folder: Path) -> None:
    """As published: two pickles, the codec under the latent diffusion code's names, and the text encoder's own folder."""
    from diffusers import UNet2DConditionModel

    codec, voice = mel_vae(1.0, widths=(32, 32, 64)), hifi_gan(kernels=(3, 7, 11))
    shape = {"z_channels": 8, "in_channels": 1, "out_ch": 1, "ch": 32, "ch_mult": [1, 1, 2], "num_res_blocks": 1}
    for block in codec.modules():
        if isinstance(block, nn.GroupNorm):
            block.num_groups = 32
    old = {old_codec_name(name, 3): tensor for name, tensor in codec.state_dict().items()}
    pixels = {name: tensor[..., None, None] for name, tensor in old.items() if ".attn_1." in name and tensor.dim() == 2}
    vocoder = {f"vocoder.{n.replace('upsampler.', 'ups.')}": t for n, t in voice.named_parameters()}
    text = folder / "google" / "flan-t5-large"
    encoder = t5(text, text)
    unet = UNet2DConditionModel.from_config(TANGO_UNET)
    parts = {"text_encoder": encoder.state_dict(), "unet": unet.state_dict()}
    torch.save({f"{p}.{n}": t for p, ts in parts.items() for n, t in ts.items()}, folder / "pytorch_model_main.bin")
    torch.save({**old, **pixels, **vocoder}, folder / "pytorch_model_vae.bin")
    (folder / "vae_config.json").write_text(json.dumps({"ddconfig": shape, "scale_factor": 0.9227914214134216}))
    (folder / "unet.json").write_text(json.dumps(TANGO_UNET))
    (folder / "main_config.json").write_text(
        json.dumps({"text_encoder_name": "google/flan-t5-large", "unet_model_config_path": "unet.json", "snr_gamma": 5.0})
    )
    (text / "model.safetensors").unlink()  # the hub's copy of the encoder is not what is read


def old_codec_name(name: str, levels: int) -> str:
    """The latent diffusion code's name for a tensor of diffusers' VAE."""
    parts = name.split(".")
    if "up_blocks" in parts:
        place = parts.index("up_blocks")
        parts[place : place + 2] = ["up", str(levels - 1 - int(parts[place + 1]))]
    if "mid_block" in parts and "resnets" in parts:
        place = parts.index("mid_block")
        parts[place : place + 3] = ["mid", f"block_{int(parts[place + 2]) + 1}"]
    said = ".".join(parts)
    for new, old in (
        ("down_blocks.", "down."),
        (".resnets.", ".block."),
        (".downsamplers.0.", ".downsample."),
        (".upsamplers.0.", ".upsample."),
        ("mid_block.attentions.0.", "mid.attn_1."),
        ("group_norm.", "norm."),
        ("to_q.", "q."),
        ("to_k.", "k."),
        ("to_v.", "v."),
        ("to_out.0.", "proj_out."),
        ("conv_norm_out.", "norm_out."),
        (".conv_shortcut.", ".nin_shortcut."),
    ):
        said = said.replace(new, old)
    return said


def picture_model(folder: Path) -> None:
    """What both kinds of Auffusion share."""
    from diffusers import UNet2DConditionModel

    UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=(*["CrossAttnDownBlock2D"] * 3, "DownBlock2D"),
        up_block_types=("UpBlock2D", *["CrossAttnUpBlock2D"] * 3),
        cross_attention_dim=WORDS,
        attention_head_dim=8,
    ).save_pretrained(folder / "unet")
    mel_vae(0.18215, channels=3, latents=4, widths=(8, 8, 8, 16)).save_pretrained(folder / "vae")
    scheduler(folder / "scheduler", 0.00085, 0.012)
    (folder / "vocoder").mkdir()
    told = {"resblock": "1", "num_mels": 256, "sampling_rate": 16_000, "upsample_initial_channel": 32}
    told |= {"upsample_rates": [5, 4, 2, 2, 2], "upsample_kernel_sizes": [16, 16, 8, 4, 4]}
    told |= {"resblock_kernel_sizes": [3], "resblock_dilation_sizes": [[1, 3, 5]]}
    (folder / "vocoder" / "config.json").write_text(json.dumps(told))
    normed: dict[str, Tensor] = {}
    for new, tensor in hifi_gan(256).named_parameters():
        name = new.replace("upsampler.", "ups.")
        if tensor.dim() == 3:
            normed[f"{name}_g"], normed[f"{name}_v"] = tensor.norm(dim=(1, 2), keepdim=True), 2 * tensor
        else:
            normed[name] = tensor
    torch.save({"generator": normed}, folder / "vocoder" / "vocoder.pt")


def clip(encoder: Path, tokenizer: Path) -> None:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

    tokens = [*LETTERS, *(f"{letter}</w>" for letter in LETTERS), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {token: i for i, token in enumerate(tokens)}
    CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77).save_pretrained(tokenizer)
    shape = CLIPTextConfig(
        vocab_size=len(vocabulary),
        hidden_size=WORDS,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=WORDS,
        bos_token_id=vocabulary["<|startoftext|>"],
        eos_token_id=vocabulary["<|endoftext|>"],
    )
    CLIPTextModel(shape).save_pretrained(encoder)


def auffusion(folder: Path) -> None:
    """With an adapter behind CLIP."""
    picture_model(folder)
    clip(folder / "text_encoder_0", folder / "text_encoder_0")
    (folder / "condition_adapter_0").mkdir()
    adapter = nn.ModuleDict({"proj": nn.Linear(WORDS, WORDS), "norm": nn.LayerNorm(WORDS)})
    torch.save(adapter.state_dict(), folder / "condition_adapter_0" / "condition_adapter.pt")
    (folder / "condition_config.json").write_text(json.dumps([{"condition_max_length": 77}]))


def auffusion_plain(folder: Path) -> None:
    """Without an adapter: Stable Diffusion's own layout, and a vocoder."""
    picture_model(folder)
    clip(folder / "text_encoder", folder / "tokenizer")
    index(folder, "StableDiffusionPipeline")


def stable_audio(folder: Path) -> None:
    from diffusers import AutoencoderOobleck, CosineDPMSolverMultistepScheduler, StableAudioDiTModel, StableAudioProjectionModel

    StableAudioDiTModel(
        sample_size=512,
        in_channels=4,
        out_channels=4,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=2,
        num_key_value_attention_heads=1,
        cross_attention_dim=8,
        time_proj_dim=8,
        global_states_input_dim=2 * WORDS,
        cross_attention_input_dim=WORDS,
    ).save_pretrained(folder / "transformer")
    vae = AutoencoderOobleck(
        encoder_hidden_size=8,
        downsampling_ratios=[2, 8, 8],
        channel_multiples=[1, 1, 1],
        decoder_channels=4,
        decoder_input_channels=4,
    )
    loud(vae).save_pretrained(folder / "vae")
    StableAudioProjectionModel(WORDS, WORDS, 0, 512).save_pretrained(folder / "projection_model")
    t5(folder / "text_encoder", folder / "tokenizer", longest=32)
    CosineDPMSolverMultistepScheduler(sigma_min=0.3, sigma_max=500).save_pretrained(folder / "scheduler")
    index(folder, "StableAudioPipeline")


TINY: dict[str, Builder] = {
    "audioldm": audioldm,
    "audioldm, music": musicldm,
    "audioldm2": audioldm2,
    "tango": tango,
    "auffusion": auffusion,
    "auffusion, plain": auffusion_plain,
    "stable_audio": stable_audio,
}
"""What to ask `tiny` for: a backbone's key, and what kind of checkpoint where there are several."""


def known_heads(folder: Path, trained: Any, said: Any, family: str = "audioldm") -> None:
    """An AudioLDM (or AudioLDM 2) whose U-Net tells noise from the demo mix with `trained` attention heads, and whose config
    says `said`.

    It is random, with attention wide awake, but for its last layer, which is fitted to the noise by least squares: so what it
    says is nearest to the truth with the heads that it had then, and with others worse.
    """
    from engine import heads
    from engine.backbones import load
    from engine.backbones.base import noised

    TINY[family](folder)
    config = folder / "unet" / "config.json"
    shape = json.loads(config.read_text()) | {"attention_head_dim": trained, "norm_num_groups": 8, "layers_per_block": 1}
    shape |= {"block_out_channels": [32, 64], "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"]}
    shape |= {"up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"]}
    shape |= {"cross_attention_dim": [[None, WORDS, WORDS]] * 2 if family == "audioldm2" else [32, 64]}
    kind = network_class(shape["_class_name"])
    network = kind.from_config({name: each for name, each in shape.items() if not name.startswith("_")})
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            tensor.mul_(4 if name.endswith(("to_q.weight", "to_k.weight")) or "to_out" in name else 1)
    network.save_pretrained(folder / "unet")
    model: Any = load(family.partition(",")[0], torch.device("cpu"), folder)
    sound = heads.demo_window(model, model.window)
    latent, words = model.encode(model.analyse(sound * model.gain(sound)[:, None, None])), model.embed(["", "music"])
    inputs, targets, seen = list[Tensor](), list[Tensor](), list[Tensor]()
    network.conv_out.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    generator = torch.Generator().manual_seed(1)
    for index in range(30):
        at = torch.tensor([int(1000 * heads.HEIGHTS[index // 6])])
        drawn = torch.randn(latent.shape, generator=generator)
        x = noised(latent, model.schedule.alpha_bar(at), drawn)
        with torch.no_grad():
            network.eval()(**model.asked(x, at, words.rows(torch.tensor([index % 2]))), **model.fixed)
        patches = nn.functional.unfold(seen.pop(), 3, padding=1)[0].T
        inputs.append(torch.cat([patches, torch.ones(len(patches), 1)], 1))
        targets.append(drawn[0].flatten(1).T)
    given, wanted = torch.cat(inputs).double(), torch.cat(targets).double()
    ridge = 1e-4 * len(given) * torch.eye(given.shape[1], dtype=torch.float64)
    found = torch.linalg.solve(given.T @ given + ridge, given.T @ wanted).T.float()
    with torch.no_grad():
        network.conv_out.weight.copy_(found[:, :-1].reshape(network.conv_out.weight.shape))
        network.conv_out.bias.copy_(found[:, -1])
    network.save_pretrained(folder / "unet")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"attention_head_dim": said}))


def network_class(name: str) -> Any:
    """The class of a U-Net."""
    from diffusers import AudioLDM2UNet2DConditionModel, UNet2DConditionModel

    return {each.__name__: each for each in (AudioLDM2UNet2DConditionModel, UNet2DConditionModel)}[name]
