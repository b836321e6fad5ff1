"""How the panel looks: two sets of colours, dark and light, and the one style sheet made from either."""

from dataclasses import asdict, dataclass
from string import Template

from PyQt6.QtCore import Qt
from PyQt6.QtGui import QColor, QGuiApplication, QPalette


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours, each as #rrggbb. Words on any ground have a contrast of at least 4.5 : 1 (a test counts)."""

    ground: str
    """Behind everything."""
    surface: str
    """What a group of things stands on."""
    raised: str
    """What can be pressed or typed into."""
    line: str
    text: str
    dim: str
    """Words that need not be read first."""
    accent: str
    """The one thing to do next."""
    on_accent: str
    trouble: str
    caution: str
    well: str
    wave: str
    """The mix, and what is left of it."""
    heat: tuple[str, ...]
    """The spectrogram, from silence to loud."""
    stems: tuple[str, ...]
    """A stem each, in their order, over again when there are more."""

    def stem(self, index: int) -> str:
        """The colour of stem number `index`."""
        return self.stems[index % len(self.stems)]


DARK = Theme(
    ground="#14161a",
    surface="#1c1f25",
    raised="#282c34",
    line="#343944",
    text="#eceef2",
    dim="#9ca5b3",
    accent="#35c5a8",
    on_accent="#06231d",
    trouble="#ff8b80",
    caution="#f0b95a",
    well="#6fd08c",
    wave="#8d99ab",
    heat=("#14161a", "#221c46", "#57247c", "#a8327b", "#ec5f5b", "#fba85b", "#fdf0c4"),
    stems=("#f2b84b", "#5aa9f7", "#ef7d6b", "#a48bf2", "#8bcf6a", "#ec7fb3", "#4cc9d6"),
)

LIGHT = Theme(
    ground="#f1f2f5",
    surface="#ffffff",
    raised="#f0f2f5",
    line="#d5d9e0",
    text="#1a1d23",
    dim="#596373",
    accent="#0b7d68",
    on_accent="#ffffff",
    trouble="#b3261e",
    caution="#8a5a00",
    well="#23733d",
    wave="#788496",
    heat=("#ffffff", "#e6e2f6", "#c3a9e4", "#b06bc4", "#b8377f", "#8b1a4a", "#2a0a24"),
    stems=("#c98500", "#2277cf", "#d5523d", "#7554d6", "#4d9a2a", "#c94687", "#14909d"),
)


def theme_for() -> Theme:
    """The set that the system asks for now."""
    hints = QGuiApplication.styleHints()
    return LIGHT if hints is None or hints.colorScheme() == Qt.ColorScheme.Light else DARK


def palette(of: Theme) -> QPalette:
    """The same for what the style draws by itself."""
    made = QPalette()
    role = QPalette.ColorRole
    for name, colour in {
        role.Window: of.ground,
        role.WindowText: of.text,
        role.Base: of.surface,
        role.AlternateBase: of.raised,
        role.Text: of.text,
        role.Button: of.raised,
        role.ButtonText: of.text,
        role.ToolTipBase: of.raised,
        role.ToolTipText: of.text,
        role.PlaceholderText: of.dim,
        role.Highlight: of.accent,
        role.HighlightedText: of.on_accent,
        role.Link: of.accent,
    }.items():
        made.setColor(name, QColor(colour))
    for name in (role.WindowText, role.Text, role.ButtonText):
        made.setColor(QPalette.ColorGroup.Disabled, name, blended(of.dim, of.surface, 0.6))
    return made


def blended(over: str, under: str, share: float) -> QColor:
    """A colour laid over another; share: 0..1 of the upper one."""
    a, b = QColor(over), QColor(under)
    mix = (round(share * x + (1 - share) * y) for x, y in zip(a.getRgb()[:3], b.getRgb()[:3], strict=True))
    return QColor(*mix)


def style_sheet(of: Theme) -> str:
    """The style sheet. Lengths are device-independent pixels, so that it is as large on every screen."""
    words = {key: value for key, value in asdict(of).items() if isinstance(value, str)}
    words["over"] = blended(of.text, of.raised, 0.08).name()
    words["glow"] = blended(of.accent, of.surface, 0.18).name()
    words["faint"] = blended(of.dim, of.surface, 0.55).name()
    words["hover"] = blended(of.text, of.accent, 0.12).name()
    return SHEET.substitute(words)


SHEET = Template("""
* { outline: none; }
QWidget { color: $text; }
QMainWindow, QWidget#ground { background: $ground; }
QFrame[role="card"] { background: $surface; border: 1px solid $line; border-radius: 10px; }
QLabel { background: transparent; }
QLabel[role="title"] { font-weight: 600; }
QLabel[role="brand"] { font-size: 16px; font-weight: 700; }
QLabel[role="headline"] { font-size: 19px; font-weight: 600; }
QLabel[role="small"] { color: $dim; font-size: 11px; }
QLabel[role="dim"], QLabel[role="hint"] { color: $dim; }
QLabel[role="trouble"] { color: $trouble; }
QLabel[role="caution"] { color: $caution; }
QLabel[role="well"] { color: $well; }

QPushButton, QToolButton { background: $raised; border: 1px solid $line; border-radius: 7px; padding: 5px 12px;
  min-height: 18px; }
QToolButton { padding: 5px 7px; }
QPushButton:hover, QToolButton:hover { background: $over; }
QPushButton:pressed, QToolButton:pressed { background: $line; }
QPushButton:focus, QToolButton:focus { border: 1px solid $accent; }
QPushButton:disabled, QToolButton:disabled { color: $faint; background: transparent; }
QPushButton:checked, QToolButton:checked { background: $glow; border-color: $accent; color: $text; }
QPushButton[role="first"] { background: $accent; border-color: $accent; color: $on_accent; font-weight: 600;
  padding: 6px 20px; }
QPushButton[role="first"]:hover { background: $hover; }
QPushButton[role="first"]:focus { border: 2px solid $text; padding: 5px 19px; }
QPushButton[role="first"]:disabled { background: $raised; border-color: $line; color: $faint; }
QPushButton[role="quiet"], QToolButton[role="quiet"] { background: transparent; border-color: transparent; }
QPushButton[role="quiet"]:hover, QToolButton[role="quiet"]:hover { background: $raised; }
QPushButton[role="quiet"]:focus, QToolButton[role="quiet"]:focus { border: 1px solid $accent; }
QPushButton[role="quiet"]:disabled, QToolButton[role="quiet"]:disabled { color: $faint; }
QPushButton[role="segment"] { border-radius: 0; border-right-width: 0; padding: 5px 14px; }
QPushButton[role="segment"][place="first"] { border-top-left-radius: 7px; border-bottom-left-radius: 7px; }
QPushButton[role="segment"][place="last"] { border-top-right-radius: 7px; border-bottom-right-radius: 7px;
  border-right-width: 1px; }
QPushButton[role="segment"]:checked { background: $accent; color: $on_accent; border-color: $accent; }
QPushButton[role="segment"]:focus { border: 1px solid $text; }
QPushButton::menu-indicator, QToolButton::menu-indicator { image: none; width: 0; }

QLineEdit, QComboBox, QDoubleSpinBox { background: $raised; border: 1px solid $line; border-radius: 7px; padding: 5px 9px;
  selection-background-color: $accent; selection-color: $on_accent; min-height: 18px; }
QLineEdit:focus, QComboBox:focus, QDoubleSpinBox:focus { border: 1px solid $accent; }
QLineEdit[role="bare"] { background: transparent; border: none; padding: 3px 2px; min-height: 16px; }
QFrame[role="field"] { background: $raised; border: 1px solid $line; border-radius: 9px; }
QFrame[role="field"][inside="true"] { border: 1px solid $accent; }
QFrame[role="chip"] { background: $over; border: 1px solid $line; border-radius: 12px; }
QFrame[role="chip"][doubtful="true"] { border: 1px dashed $caution; }
QFrame[role="chip"] QLabel { padding: 0; }
QFrame[role="chip"] QToolButton { background: transparent; border: none; padding: 1px; border-radius: 8px; min-height: 14px; }
QFrame[role="chip"] QToolButton:hover, QFrame[role="chip"] QToolButton:focus { background: $line; }
QDoubleSpinBox::up-button, QDoubleSpinBox::down-button { width: 0; border: none; }

QRadioButton { spacing: 8px; }
QRadioButton::indicator { width: 12px; height: 12px; border: 1px solid $dim; border-radius: 7px; background: $raised; }
QRadioButton::indicator:checked { width: 6px; height: 6px; border: 4px solid $accent; background: $on_accent; }
QRadioButton::indicator:disabled { border: 1px solid $line; background: transparent; }
QRadioButton:disabled { color: $dim; }

QListView, QTableView, QTreeView { background: transparent; border: none; }
QAbstractItemView { selection-background-color: $glow; selection-color: $text; }
QComboBox QAbstractItemView, QListView#completions, QMenu { background: $surface; border: 1px solid $line; padding: 4px; }
QListView#completions::item { padding: 5px 8px; border-radius: 5px; }
QListView#completions::item:selected { background: $glow; color: $text; }
QMenu::item { padding: 6px 22px 6px 14px; border-radius: 5px; }
QMenu::item:selected { background: $glow; }
QMenu::item:disabled { color: $faint; }
QMenu::separator { height: 1px; background: $line; margin: 4px 8px; }
QMenu::icon { padding-left: 8px; }

QTabBar { background: transparent; qproperty-drawBase: 0; }
QTabBar::tab { background: transparent; color: $dim; padding: 6px 4px; margin-right: 16px;
  border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: $text; border-bottom: 2px solid $accent; }
QTabBar::tab:hover, QTabBar::tab:focus { color: $text; }
QTabWidget::pane { border: none; }

QSplitter::handle { background: transparent; }
QSplitter::handle:hover { background: $line; }
QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 10px; margin: 0; }
QScrollBar::handle:vertical { background: $line; border-radius: 4px; min-height: 28px; margin: 1px; }
QScrollBar::handle:vertical:hover { background: $faint; }
QScrollBar:horizontal { background: transparent; height: 10px; margin: 0; }
QScrollBar::handle:horizontal { background: $line; border-radius: 4px; min-width: 28px; margin: 1px; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QProgressBar { background: $raised; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { background: $accent; border-radius: 3px; }
QToolTip { background: $raised; color: $text; border: 1px solid $line; padding: 4px 6px; }
QPlainTextEdit { background: $raised; border: 1px solid $line; border-radius: 7px; padding: 4px; }
""")
