"""Every word that the panel shows, in one catalogue: to translate it is to write this file again.

What stands in braces is filled in where the text is used, when it is used. `speak` puts another catalogue in the place of this
one. A text that ends in _TODO says what to do about the one before it.
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
GIGABYTES, MEGABYTES, KILOBYTES = "{count} GB", "{count} MB", "{count} kB"
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
NO_REGION = "Drop a file in, or send a region from your DAW."
NO_SOUNDS = "Name a sound to take out."
ONE_IS_NOT_ALL = "One prompt cannot name every sound of a mix: name another, or leave a rest."
NOTHING_TO_DO = "There is nothing to separate yet."
NO_STEM_NAME = "That cannot name a stem."
NO_STEM_NAME_TODO = "Write it on one line, without / and \\."
ASKED_ALREADY = "{name} is asked for already."
ASKED_ALREADY_TODO = "Name each sound once; each gets its own stem."
NO_DESCRIPTION = "That is no description of a sound."
NO_DESCRIPTION_TODO = "Write one line of at most 500 characters."
PRESET_COMMENT = "Saved in the panel. Say here when to reach for it; every key is explained in presets/__init__.py."
NO_PRESET_NAME = "That cannot name a preset."
NO_PRESET_NAME_TODO = "Use letters and digits."
LIBRARY_HAS_IT = "ZeroStem comes with a preset called {name}."
LIBRARY_HAS_IT_TODO = "Choose another name; that one stays as it is."
YOU_HAVE_IT = "You have a preset called {name} already."
YOU_HAVE_IT_TODO = "Choose another title, or delete that one."
NOT_YOURS = "{name} is not one of your own presets."
NOT_YOURS_TODO = "Those that come along stay as they are; save a copy under another name."
NO_FOLDER = "{path} cannot be made: {why}."
NO_FOLDER_TODO = "Check the folder's permissions."
CANNOT_DELETE = "{path} cannot be deleted: {why}."
CANNOT_DELETE_TODO = "Check its permissions."

# The stems.
STEMS = "Stems"
NO_STEMS = "Each sound that you name gets a fader here."
REST = "Rest"
REST_HOW = "everything else; stems + rest = your mix, sample for sample"
STRENGTH_OF = "Strength of {name}"
FADER_HOW = "From reconstruct (the mix as it is) to isolate (the stem alone). No other stem changes. Double-click to isolate."
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
STEM_SILENT = "not found: the stem is silent"
STEM_DOUBTFUL = "may not be here"
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
UNLIKE_RATES = "The two results are not of the same rate and channels."
UNLIKE_RATES_TODO = "Compare two results of one region."
ONE_IS_SILENT = "One of the two is silent in this stretch."
ONE_IS_SILENT_TODO = "Choose a stretch where both can be heard."
NO_CARD = "This machine has no sound card."
NO_CARD_TODO = "You can still separate, and play the stems elsewhere."
NO_SOUNDDEVICE = "Playing needs sounddevice."
NO_SOUNDDEVICE_TODO = "Install it: `pip install 'zerostem[panel]'`."
NO_PORTAUDIO = "The system has no PortAudio, so nothing can be played."
NO_PORTAUDIO_TODO = "Install it (Debian: `apt install libportaudio2`), then start the panel again; all but playing works."
CARD_REFUSES = "The sound card cannot be used: {why}."
CARD_REFUSES_TODO = "Choose another one, or close what holds it."

# Jobs.
JOBS = "Jobs"
NO_JOBS = "No jobs yet. What you or your DAW separate is listed here."
ALL_DONE = "Nothing is waiting."
STATES = {"queued": "waiting", "running": "running", "done": "done", "failed": "failed", "cancelled": "cancelled"}
PERCENT = "{percent} %"
RUNNING = "running {percent} %"
ON_DEVICE = "on {device}"
FAILED_WHY = "failed: {why}"
COUNTED = "{count} {state}"
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
REBUILT_OTHER_TODO = "Another device computes a little differently."
REBUILT_MODEL = "The model's files have changed since the old ones were made; keep the old ones if you need them as they were."
REBUILT_VERSION = "Another version of ZeroStem made the old ones; keep them if you need them as they were."
DONE = "Done."
FACTS_NULL = "null {db} dBFS, lag {lag}"
FACTS_LAG, FACTS_NO_LAG = "{count} samples", "none found"
FACTS_MADE, FACTS_MADE_IN = "with {model} ({licence}) on {device}", "{seconds} s with {model} ({licence}) on {device}"
NO_SIDECAR = "{path} does not exist."
NO_SIDECAR_TODO = "Name the JSON file beside the stems."
SOURCE_GONE = "{path} is gone."
SOURCE_GONE_TODO = "Put the file back where it was when the stems were made."
SIDECAR_LACKS = "The sidecar does not say {key}."
SIDECAR_LACKS_TODO = "Separate anew: it was not made by this version."
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
TO_FETCH = "{size} to fetch"
NON_COMMERCIAL = "non-commercial"
NOT_FOR_SALE = "Not for commercial use: {licence}."
READ_LICENCE = "Read its licence before you sell what it made: {licence}."
MODEL_LINE, MODEL_LINE_MORE = "{name}: {purpose}", "{name}: {purpose} ({more})"
FETCH = "Fetch"
FETCH_MODEL = "Fetch {name}"
FETCH_HOW = "Says how large it is and what its licence allows before anything is fetched"
FETCH_ASK, FETCH_ASK_SIZE = "Fetch {name}?", "Fetch {name}, {size}?"
FETCH_USED = "It is used for your next jobs once it is here."
NOT_NOW = "Not now"
FETCHING = "How far the fetching of {name} is"
FETCH_ASKED = "asking for it"
FETCH_STOPPING = "Stopping…"
FETCH_WAITS = "It goes on when the daemon is back."
STOP_FETCHING = "Stop fetching {name}"
FETCH_AGAIN = "Try again"
FETCH_AGAIN_MODEL = "Try to fetch {name} again"
FETCHED = "{name} is here."
FETCHED_TODO = "Your next jobs use it."
FETCH_STOPPED = "{name} is not fetched any more."
FETCH_STOPPED_TODO = "The files that arrived whole stay for the next time."
PLAN = "The next job"
PLAN_NEEDS = "Open a region and name its sounds to see how long it would take."
PLAN_ASKING = "Reckoning how long it would take…"
PLAN_NO_MODEL = "Fetch the model first."
PLAN_FOR = "{stems} out of {length}:"
PLAN_STEMS, PLAN_STEM = "{count} stems", "1 stem"
PLAN_TIME, PLAN_NO_TIME = "about {time} on {device}", "on {device}"
PLAN_WINDOWS, PLAN_WINDOWS_IN = "{count} windows at once", "{count} windows at once in {size}"
DEVICE_LINE, DEVICE_LINE_FREE = "{name}: {kind}", "{name}: {kind}, {free} free"
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


def span(seconds: int) -> str:
    """A length of time as people say it; empty where nobody knows."""
    if seconds < 0:
        return ""
    if seconds < 60:
        return IN_SECONDS.format(s=seconds)
    if seconds < 600:
        return IN_MINUTES_SECONDS.format(min=seconds // 60, s=seconds % 60)
    if seconds < 3600:
        return IN_MINUTES.format(min=round(seconds / 60))
    return IN_HOURS.format(h=seconds // 3600, min=seconds % 3600 // 60)


def left(eta_s: int) -> str:
    """Seconds left; empty where nobody knows yet."""
    return "" if eta_s < 0 else LEFT.format(time=span(eta_s))


IN_SECONDS, IN_MINUTES_SECONDS, IN_MINUTES, IN_HOURS = "{s} s", "{min} min {s:02} s", "{min} min", "{h} h {min:02} min"
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
