"""The panel's small pictures: paths on a square of 24, drawn in whatever colour is asked for, sharp on every screen."""

from functools import cache

from PyQt6.QtCore import QByteArray, QRectF, Qt
from PyQt6.QtGui import QGuiApplication, QIcon, QPainter, QPixmap
from PyQt6.QtSvg import QSvgRenderer

FILLED = {
    "play": "M8 5.2v13.6a.8.8 0 0 0 1.2.7l11-6.8a.8.8 0 0 0 0-1.4l-11-6.8A.8.8 0 0 0 8 5.2z",
    "pause": "M7 5h3.4v14H7zM13.6 5H17v14h-3.4z",
    "grip": "M9 6a1.5 1.5 0 1 1 0 .01zM15 6a1.5 1.5 0 1 1 0 .01zM9 12a1.5 1.5 0 1 1 0 .01zM15 12a1.5 1.5 0 1 1 0 .01z"
    "M9 18a1.5 1.5 0 1 1 0 .01zM15 18a1.5 1.5 0 1 1 0 .01z",
}
DRAWN = {
    "loop": "M17 3l3.5 3.5L17 10M3.5 12v-2A3.5 3.5 0 0 1 7 6.5h13M7 21l-3.5-3.5L7 14M20.5 12v2a3.5 3.5 0 0 1-3.5 3.5H4",
    "close": "M7 7l10 10M17 7L7 17",
    "folder": "M3.5 18V6.5A1.5 1.5 0 0 1 5 5h4.2l2.2 2.5H19A1.5 1.5 0 0 1 20.5 9v9a1.5 1.5 0 0 1-1.5 1.5H5"
    "A1.5 1.5 0 0 1 3.5 18z",
    "again": "M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.5 3.5v4h-4",
    "send": "M4 12h13M11.5 5.5L18 12l-6.5 6.5M21 4v16",
    "down": "M6 9l6 6 6-6",
    "wave": "M3 12h2l2-6 3 13 3-16 3 12 2-3h3",
    "open": "M12 16V4M7 9l5-5 5 5M4.5 15v3.5A1.5 1.5 0 0 0 6 20h12a1.5 1.5 0 0 0 1.5-1.5V15",
    "out": "M12 4v12M7 11l5 5 5-5M4.5 20h15",
    "copy": "M9 9h10v11H9zM15 9V4H5v11h4",
    "star": "M12 4.5l2.3 4.8 5.2.7-3.8 3.6.9 5.2-4.6-2.5-4.6 2.5.9-5.2L4.5 10l5.2-.7z",
    "check": "M5 12.5l4.5 4.5L19 7.5",
    "hammer": "M14 6.5l3.5 3.5M4.5 19.5l8-8M11 6l3-2.5 6.5 6.5-2.5 3z",
}


def icon(name: str, colour: str, size: int = 18) -> QIcon:
    """A picture in one colour, and pale where its button is off."""
    made = QIcon(picture(name, colour, size))
    made.addPixmap(picture(name, colour, size, 0.35), QIcon.Mode.Disabled)
    return made


@cache
def picture(name: str, colour: str, size: int = 18, opacity: float = 1.0) -> QPixmap:
    """A picture `size` pixels wide, at the resolution of the sharpest screen there is."""
    path = FILLED.get(name) or DRAWN[name]
    drawn = f'fill="{colour}"' if name in FILLED else f'fill="none" stroke="{colour}" stroke-width="1.8"'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><path d="{path}" {drawn} '
        f'stroke-linecap="round" stroke-linejoin="round" opacity="{opacity}"/></svg>'
    )
    ratio = max((screen.devicePixelRatio() for screen in QGuiApplication.screens()), default=1.0)
    made = QPixmap(round(size * ratio), round(size * ratio))
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, made.width(), made.height()))
    painter.end()
    made.setDevicePixelRatio(ratio)
    return made
