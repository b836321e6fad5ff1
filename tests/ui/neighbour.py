"""Another program beside the panel: a window that offers a file to drag, and takes files that are dropped on it.

`python neighbour.py X Y FILE OUT`: at X, Y of the screen; every drop's URLs and action become a line of JSON in OUT.
"""

import json
import sys
from pathlib import Path

from PyQt6.QtCore import QMimeData, Qt, QUrl
from PyQt6.QtGui import QDrag, QDragEnterEvent, QDropEvent, QMouseEvent
from PyQt6.QtWidgets import QApplication, QLabel


class Neighbour(QLabel):
    """Grey, 200 pixels square."""

    def __init__(self, file: Path, out: Path) -> None:
        super().__init__("another program")
        self.file, self.out = file, out
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setAcceptDrops(True)
        self.setFixedSize(200, 200)

    def mousePressEvent(self, _event: QMouseEvent | None) -> None:  # noqa: N802 - Qt's name
        drag = QDrag(self)
        data = QMimeData()
        data.setUrls([QUrl.fromLocalFile(str(self.file))])
        drag.setMimeData(data)
        drag.exec(Qt.DropAction.CopyAction)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # noqa: N802 - Qt's name
        if event is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # noqa: N802 - Qt's name
        data = event.mimeData() if event is not None else None
        if event is not None and data is not None:
            event.acceptProposedAction()
            told = {"files": [url.toLocalFile() for url in data.urls()], "action": event.dropAction().name}
            with self.out.open("a", encoding="utf-8") as file:
                file.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    application = QApplication([])
    x, y, offered, told = sys.argv[1:]
    window = Neighbour(Path(offered), Path(told))
    window.move(int(x), int(y))
    window.show()
    sys.exit(application.exec())
