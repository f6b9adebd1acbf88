"""What a run goes by at this moment: the options it was started with, overruled by what another terminal asked for since.

It is read between batches and while waiting, and never written here.
"""

from __future__ import annotations

import msgspec

from ..core.errors import StoreCorrupt, StoreError
from ..core.run_control import Control, control_of
from ..core.runs import Run
from .plan import Options


class Steering:
    """The options of one run, as they hold now. `paused` names who paused it, "" while it goes on."""

    def __init__(self, run: Run, options: Options) -> None:
        self._run, self._given = run, options
        self._control = Control()
        self.options = options
        self.paused = ""

    def look(self) -> None:
        """Read again what was asked for. A file that cannot be read now leaves what was read before; one that is broken is told."""
        try:
            control = control_of(self._run)
        except StoreCorrupt:
            raise
        except (StoreError, OSError):
            return
        if control != self._control:
            self._control = control
            asked = {name: getattr(control, name) for name in ("rate", "concurrency", "max_lag_ms", "max_wait_ms")}
            self.options = msgspec.structs.replace(self._given, **{name: value for name, value in asked.items() if value is not None})
        self.paused = control.by if control.paused else ""
