"""Every word that the panel shows, in one catalogue: to translate it is to write this file again.

What stands in braces is filled in where the text is used. `speak` puts another catalogue in the place of this one.
"""

from collections.abc import Mapping
from string import Formatter
from typing import Any

TITLE = "ZeroStem"
DEMO = "Demo"

# The region.
DROP_HERE = "Drop a song, a loop or a recording here"
DROP_HOW = "or send a region from your DAW: it appears by itself. Then name the sounds that you want out of it."
DROP_NOW = "Let go to open it"
OPEN = "Open a file…"
OPEN_OTHER = "Open…"
OPEN_OTHER_HOW = "Open another sound file (Ctrl+O)"
TRY_DEMO = "Try the demo"
SOUND_FILES = "Sound files"
ALL_FILES = "All files"
MONO, STEREO, CHANNELS = "mono", "stereo", "{count} channels"
KILOHERTZ = "{rate} kHz"
FROM_HOST = "from {host}"
WHOLE, SELECTION = "All of it", "Selection"
FROM, TO = "From", "To"
SECONDS, DECIBELS = " s", " dB"
SELECT_ALL = "All of it"
SELECT_ALL_HOW = "Mean all of the region again (Escape in the picture, or a double click)"
PICTURE = "Waveform and spectrogram"
PICTURE_HOW = (
    "Drag to select, double-click for all of it, click to move the playhead, wheel to zoom. "
    "With the keys: arrows move, with Shift they select, plus and minus zoom, Escape selects all."
)
ARRIVED = "{host} sent a region: {title}."
SHOW = "Show it"
REGION_NOT_YET = "That region's sound is not there yet."
REGION_NOT_YET_TODO = "Open it when its job has begun."

# What is asked.
TAKE_OUT = "Take out"
TAKE_OUT_HINT = "name a sound: drums, lead vocal, rain …"
NOT_THIS = "Not this"
NOT_THIS_HINT = "optional: what the stems are not"
REMOVE = "Remove {name}"
OFFERS = "Suggestions"
UNKNOWN_WORD = "this model may not know it"
TAKEN_FOR = "taken for {meaning}"
USED_BEFORE = "used before"
OF_A_PRESET = "from a preset"
PRESET = "Presets"
PRESET_HOW = "Sounds and dials set in advance (Ctrl+P)"
OWN_PRESETS, LIBRARY_PRESETS = "Yours", "Library"
SAVE_PRESET = "Save as a preset…"
RENAME_PRESET = "Rename"
DELETE_PRESET = "Delete"
PRESET_NAME = "Its name:"
OPTIONS = "Options"
OPTIONS_HOW = "What else can be asked for"
COMPLETE = "These are all the sounds there are (better stems)"
WRITE_HIGHLIGHT = "Also write the mix with each stem at {gain} dB"
EVERYTHING_BUT = "Everything but these: only the rest is written"
SEPARATE = "Separate"
SEPARATE_HOW = "Take these sounds out (Ctrl+Return)"
QUICK = "Quick listen"
QUICK_HOW = "A rough estimate of ten seconds around the playhead, in a moment (Ctrl+E)"
ESTIMATING = "Estimating ten seconds…"
ESTIMATED = "This is a rough estimate of ten seconds."
ESTIMATED_TODO = "Separate makes the real stems."
PROGRESS = "How far the job is"
CANCEL = "Cancel"
SENT = "Separating…"

# The stems.
STEMS = "Stems"
NO_STEMS = "Each sound that you name gets a fader here."
REST = "Rest"
REST_HOW = "everything else; stems + rest = your mix, sample for sample"
STRENGTH_OF = "Strength of {name}"
FADER_HOW = "From reconstruct (the mix as it is) to isolate (the stem alone). Double-click to isolate."
RECONSTRUCT, ISOLATE = "reconstruct", "isolate"
RECONSTRUCT_HOW = "0: the mix as it is"
ISOLATE_HOW = "1: the stem alone"
MUTE_LETTER, SOLO_LETTER = "M", "S"
MUTE, SOLO = "Mute {name}", "Solo {name}"
DRAG_ONE = "Drag {name} out"
DRAG_ALL = "Drag all out"
DRAG_HOW = "Drag to your DAW, the desktop or a folder; a click copies the files"
AND_MORE = "and {count} more"
COPIED = "Copied {count} files."
COPIED_TODO = "Paste them in a folder or in your DAW."
SHOW_FOLDER = "Show in folder"
SHOW_FOLDER_HOW = "Open the folder where the stems lie"

# Listening.
PLAY, STOP, LOOP = "Play", "Stop", "Loop"
PLAY_HOW = "Play or stop (Space)"
LOOP_HOW = "Play the selection over and over (Ctrl+L)"
VIEWS = {
    "mix": ("Mix", "The mix as it is (1)"),
    "stem": ("Stem", "The chosen stem alone (2)"),
    "rest": ("Rest", "The mix without any stem (3)"),
    "highlight": ("Stem up", "The mix with the chosen stem turned up (4)"),
    "mixer": ("Mixer", "All stems with their mute and solo buttons (5)"),
}
GAIN = "How far the stem is turned up"
GAIN_HOW = "Of “Stem up”: how much louder the stem is in its mix"
METER = "Level"
METER_HOW = "Peak and mean level; the light at its end says that it went over full scale (click to put it out)"
METER_SAYS = "{db} dBFS"
BLIND = "Blind test"
BLIND_HOW = "Compare two versions, equally loud, without knowing which is which (Ctrl+B)"
COMPARE, WITH = "Compare", "with"
SIDE_A, SIDE_B = "First version", "Second version"
TURNED_UP = "mix with {name} up"
BLIND_BEGIN = "Begin"
HEAR = "Hear {name}"
VOTE, VOTE_SAME = "{name} is better", "no difference"
REVEAL = "Reveal"
VOTES = "{count} votes"
REVEALED = "{a}: {first}, {b}: {second}, no difference: {same}"
BY_CHANCE = "A coin would be as one-sided in {percent} % of all cases."
CHOOSE_TWO = "Choose two different versions."
MATCHING = "Making them equally loud…"

# Jobs.
JOBS = "Jobs"
NO_JOBS = "No jobs yet. What you or your DAW separate is listed here."
ALL_DONE = "Nothing is waiting."
STATES = {"queued": "waiting", "running": "running", "done": "done", "failed": "failed", "cancelled": "cancelled"}
PERCENT = "{percent} %"
ACTS = {
    "open": ("Open", "Open this job's region and its stems (Return)"),
    "cancel": ("Cancel", "Stop this job; nothing of it is kept"),
    "retry": ("Try again", "Try this job again"),
    "show": ("Show in folder", "Open the folder where the stems lie"),
    "deliver": ("Send to DAW again", "Bring the stems to the DAW once more"),
    "rebuild": ("Rebuild from sidecar", "Make the same stems again, and say whether they are the same"),
}
DELIVERED = "The stems are with the DAW again."
CANCELLED = "Cancelled. Nothing of it was kept."
NOTHING_TO_REBUILD = "This job has no sidecar."
NOTHING_TO_REBUILD_TODO = "Wait until it is done."
REBUILDING = "Making the same stems again…"
REBUILT_SAME = "Rebuilt: every file came out the same, byte for byte."
REBUILT_OTHER = "Rebuilt, but not the same: {names}."
REBUILT_OTHER_TODO = "Another device or version computes a little differently."
DONE = "Done."
NOT_FOUND = "Not found in this region: {prompts}."
NOT_FOUND_TODO = "That stem is silent; try another word."
DOUBTFUL = "It may not be here: {prompts}."
DOUBTFUL_TODO = "Listen to the stem before you use it."

# The machine.
MACHINE = "Models"
MODELS, DEVICES = "Models", "Devices"
ASKING = "Asking the daemon…"
NO_MODELS = "The daemon knows the models, and none runs."
HERE, NOT_HERE = "here", "to be fetched"
FETCH_HOW = "To use it: zerostem models list says how to fetch {name}."
DEVICE_HOW = "The daemon chose its device when it was started; zerostem daemon --device chooses another."
STANDS = {
    "looking": "Looking for the daemon…",
    "starting": "Starting the daemon…",
    "there": "Ready",
    "gone": "No daemon runs",
}
READY_ON = "Ready on {device}"
GONE = "The daemon has ended."
GONE_TODO = "It is started when you next separate something; jobs go on where they were."
BACK = "The daemon is back."
START_DAEMON = "Start it"

# The window.
CLOSE = "Close"
COPY_DETAILS = "Copy what was said"
FAULT = "Something went wrong inside the panel: {kind}."
FAULT_TODO = "The log has the details: {path}."
SHORTCUTS = "Shortcuts"


def clock(seconds: float, digits: int = 0) -> str:
    """A time as people say it: 0:03 or 1:02:03.5."""
    ticks = round(seconds * 10**digits)
    whole, part = divmod(ticks, 10**digits)
    minutes, rest = divmod(whole, 60)
    told = f"{minutes // 60}:{minutes % 60:02}:{rest:02}" if minutes >= 60 else f"{minutes}:{rest:02}"
    return f"{told}.{part:0{digits}}" if digits else told


def left(eta_s: int) -> str:
    """Seconds left; empty where nobody knows yet."""
    return "" if eta_s < 0 else LEFT.format(time=clock(eta_s))


LEFT = "{time} left"


def speak(catalogue: Mapping[str, Any]) -> None:
    """Use other texts from now on; to be called before the window is made.

    Raises KeyError for a name that is none, ValueError where a text's braces are not the same.
    """
    for name, text in catalogue.items():
        if not name.isupper() or name not in globals():
            raise KeyError(name)
        if _shape(text) != _shape(globals()[name]):
            raise ValueError(name)
    globals().update(catalogue)


def _shape(text: Any) -> Any:
    """What must be the same in every language: the braces, and the keys of a table."""
    if isinstance(text, Mapping):
        return {key: _shape(value) for key, value in text.items()}
    if isinstance(text, tuple):
        return [_shape(each) for each in text]
    return {name for _, name, _, _ in Formatter().parse(text) if name}
