"""What is heard: the scene made of the open region and its stems, which view of it, and the sound card that plays it."""

from pathlib import Path

from PyQt6.QtCore import QObject, pyqtSignal

from host_bridge.errors import ZeroStemError
from ui.background.sound_card import Speaker
from ui.background.timing import timer
from ui.models.mixing import ListeningMix, Strip, View, listening_mix
from ui.models.player import Player
from ui.models.reading import Sound
from ui.state.controller import Controller, Take

LOOK_MS = 33
"""Between two looks at where the player is: 30 a second."""
REST = ""
"""The rest's name among the strips: no prompt is empty."""


class Playback(QObject):
    """Position in seconds of the open region. Without a sound card everything here still works, and nothing is heard."""

    moved = pyqtSignal(float)
    levels = pyqtSignal(object)
    """A Level for each channel; none while nothing plays."""
    played = pyqtSignal(bool)
    view_changed = pyqtSignal()
    """Another view, or another scene to have views of."""
    strips_changed = pyqtSignal()

    def __init__(self, controller: Controller, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.controller = controller
        self.view: View = "mix"
        self.gain_db, self.looping = 6.0, False
        self.player: Player | None = None
        self.silent: ZeroStemError | None = None
        """Why nothing can be heard."""
        self._speaker: Speaker | None = None
        self._scene: ListeningMix | None = None
        self._moved: dict[str, float] = {}
        self._instead: ListeningMix | None = None
        self._look = timer(self, LOOK_MS, self._tell)
        controller.region_changed.connect(self._open)
        controller.take_changed.connect(self._load)
        controller.choice_changed.connect(self._show)
        controller.session_changed.connect(self._loop)
        controller.stem_moving.connect(self._bend)

    def close(self) -> None:
        """Let go of the sound card."""
        self._look.stop()
        if self._speaker is not None:
            self._speaker.close()
            self._speaker = None

    # What can be heard.

    @property
    def ready(self) -> bool:
        """Whether there are stems."""
        return self._scene is not None and bool(self._scene.parts)

    @property
    def playing(self) -> bool:
        """Whether it moves."""
        return self.player is not None and self.player.playing

    @property
    def position_s(self) -> float:
        """Where in the region."""
        return self.player.position / self._scene.mix.rate if self.player and self._scene else 0.0

    @property
    def drawn(self) -> tuple[Path, int] | None:
        """The file to draw over the mix for this view, and its first frame in the region; None for the mix alone."""
        take = self.controller.take
        if take is None or take.result is None or not self.ready:
            return None
        if self.view == "rest":
            return (take.result.rest, take.offset) if take.result.rest else None
        stem = next((stem for stem in take.result.stems if stem.prompt == self.controller.chosen), None)
        return (stem.path, take.offset) if stem and stem.path else None

    def strip(self, name: str) -> Strip:
        """What the mixer does with a stem, or with the rest."""
        if self._scene is None or name == REST:
            return self._scene.rest if self._scene else Strip()
        return next((part.strip for part in self._scene.parts if part.prompt == name), Strip())

    def scene(self, view: View | None = None, prompt: str | None = None) -> ListeningMix | None:
        """The scene as it is listened to, or in any other way."""
        if self._scene is None or not self.ready:
            return self._scene
        heard = self._scene.at_strengths(self._moved)
        return heard.heard(view or self.view, self.controller.chosen if prompt is None else prompt, self.gain_db)

    # What people do.

    def play(self) -> None:
        """Begin, or stop where it is."""
        if self.player is None:
            return
        if self.player.playing:
            self.player.stop()
            self._rest()
        elif self._speaker is None:
            player = self.player
            self.controller.aside(lambda: _started(player), self._plug_in, self._be_silent, key="card")
        else:
            self._begin_to_play()

    def seek(self, at_s: float) -> None:
        """Go elsewhere."""
        if self.player and self._scene:
            self.player.seek(round(at_s * self._scene.mix.rate))
            self.moved.emit(at_s)

    def look_at(self, view: View) -> None:
        """Hear another view, at the same place."""
        if view != self.view and (view == "mix" or self.ready):
            self.view = view
            self._show()
            self.view_changed.emit()

    def turn_up(self, gain_db: float) -> None:
        """How much louder the highlight's stem is."""
        self.gain_db = gain_db
        self._show()

    def loop(self, *, on: bool) -> None:
        """Play the selection, or all, over and over."""
        self.looping = on
        self._loop()

    def put_strip(self, name: str, strip: Strip) -> None:
        """Mute or solo one; that is heard in the mixer, which is looked at from now on."""
        if self._scene is not None:
            self._scene = self._scene.with_strip(name, strip)
            self.view = "mixer"
            self._show()
            self.strips_changed.emit()
            self.view_changed.emit()

    def instead(self, scene: ListeningMix | None) -> None:
        """Hear this, whatever the view says; None: the view again."""
        self._instead = scene
        self._show()

    # How it is done.

    def _plug_in(self, speaker: Speaker) -> None:
        if speaker.player is not self.player:  # another region was opened meanwhile
            speaker.close()
            return
        self._speaker = speaker
        self._begin_to_play()

    def _be_silent(self, error: ZeroStemError) -> None:
        self.silent = error
        self.controller.complain(error)

    def _begin_to_play(self) -> None:
        assert self.player is not None
        self.silent = None
        self.player.play()
        self._look.start()
        self.played.emit(True)

    def _open(self) -> None:
        region = self.controller.session.region
        if region is not None:
            self.controller.aside(region.sound, self._begin, key="sound")

    def _begin(self, mix: Sound) -> None:
        self.close()
        self.view, self._moved, self._scene = "mix", {}, ListeningMix(mix)
        self.player = Player(self._scene)
        self._rest()
        self._loop()
        self._load()
        self.moved.emit(0.0)
        self.view_changed.emit()

    def _load(self) -> None:
        """Take up the stems as they are on the disk now."""
        take, scene = self.controller.take, self._scene
        if scene is None:
            return
        if take is None or take.result is None:
            if scene.parts:
                self._put(ListeningMix(scene.mix))
            return
        result = take.result

        def show(told: tuple[Take, ListeningMix]) -> None:
            if self.controller.take is told[0] and self._scene is not None and self._scene.mix is scene.mix:
                self._put(told[1])

        self.controller.aside(lambda: (take, listening_mix(scene.mix, result, take.offset)), show, key="stems")

    def _put(self, scene: ListeningMix) -> None:
        before = self._scene
        assert before is not None
        for part in before.parts:
            scene = scene.with_strip(part.prompt, part.strip)
        first = bool(scene.parts) and not before.parts
        self._scene, self._moved = scene.with_strip(REST, before.rest), {}
        if not scene.parts:
            self.view = "mix"
        elif first and self.view == "mix":
            self.view = "stem"
        self._show()
        self.view_changed.emit()

    def _show(self) -> None:
        scene = self._instead or self.scene()
        if self.player is not None and scene is not None:
            self.player.show(scene)

    def _bend(self, prompt: str, strength: float) -> None:
        """Hear at once about what the fader will give; the exact sound comes when it rests."""
        if not self.ready:
            return
        self._moved[prompt] = strength
        if self.view == "mix":
            self.look_at("stem")
        else:
            self._show()

    def _loop(self) -> None:
        if self.player is None or self._scene is None:
            return
        if self.looping:
            first, last = (round(edge * self._scene.mix.rate) for edge in self.controller.session.stretch_s)
            self.player.loop(first, last)
        else:
            self.player.loop(None)

    def _tell(self) -> None:
        assert self.player is not None
        if self._speaker is not None and self._speaker.trouble is not None:
            self.controller.complain(self._speaker.trouble)
            self.close()
        self.moved.emit(self.position_s)
        self.levels.emit(self.player.levels)
        if not self.player.playing:
            self._rest()

    def _rest(self) -> None:
        self._look.stop()
        self.levels.emit(())
        self.played.emit(False)


def _started(player: Player) -> Speaker:
    """The sound card, which may take its time. Raises NoSound."""
    speaker = Speaker(player)
    speaker.start()
    return speaker
