"""What every view of the dashboard can be asked."""

from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from fleet.tui.keys import LOCAL
from fleet.tui.paint import Line
from fleet.tui.scene import Scene
from fleet.tui.widgets.lines import Lines
from fleet.tui.widgets.table import FleetTable


def bindings(screen: str) -> list[BindingType]:
    """The keys that only this screen has."""
    return [Binding(key.keys, f"app.{key.action}", key.help, show=False) for key in LOCAL[screen]]


class View(Horizontal):
    """Draws the scene; asks for nothing."""

    DEFAULT_CSS = """
    View { width: 1fr; height: 1fr; scrollbar-size: 0 0; overflow: hidden hidden; }
    View .column { width: 1fr; height: 1fr; scrollbar-size: 0 0; overflow: hidden hidden; }
    View .pane { width: 23; height: 1fr; display: none; }
    View .fill { height: 1fr; }
    """

    def __init__(self, scene: Scene, *, id: str) -> None:
        super().__init__(id=id)
        self.scene = scene

    def title(self) -> Line:
        """The header line, without clock."""
        raise NotImplementedError

    def draw(self) -> None:
        """Shows the scene as it is now; paints only what changed."""
        raise NotImplementedError

    def table(self) -> FleetTable | None:
        """The table that the cursor keys move in."""
        return None

    def target(self) -> str | None:
        """What is under the cursor, as a command names it."""
        return None

    def open(self) -> str | None:
        """Enter. Returns the name of the view to go to."""
        return None

    def back(self) -> bool:
        """Esc. Whether something was closed within the view."""
        return False

    def scroll_by(self, lines: int) -> None:
        """Where there is no table."""

    def blocks(self) -> list[Lines]:
        return list(self.query(Lines))

    def repaint(self) -> None:
        """The theme or the size changed."""
        for block in self.blocks():
            block.repaint()
        table = self.table()
        if table is not None:
            table.repaint()
