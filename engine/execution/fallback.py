"""Runs a network by the chosen execution, and falls back to plain torch when that breaks."""

import logging
from collections.abc import Mapping

from torch import Tensor

from engine.execution.base import Execution, NetworkSpec, Run, is_out_of_memory
from engine.execution.plain import PLAIN, REFERENCE
from host_bridge.errors import BadModel, ZeroStemError

log = logging.getLogger(__name__)


class FallbackRunner:
    """Runs a network, falling back to plain torch with a warning. `name`: the execution in use."""

    def __init__(self, execution: Execution, run: Run, network_spec: NetworkSpec) -> None:
        self.name, self._run, self._subject = execution.name, run, network_spec

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The answer. Raises BadModel where plain torch breaks too; what lacks memory is raised as it comes."""
        try:
            return self._run(inputs)
        except ZeroStemError:
            raise
        except Exception as error:
            if is_out_of_memory(error):
                raise
            said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            if self.name == REFERENCE:
                what = f"{self._subject.name} broke down on {self._subject.device} ({said})."
                raise BadModel(what, "Try again; if it happens again, use --device cpu, and run `zerostem doctor`.") from error
            log.warning("%s broke (%s): going on with %s", self.name, said, REFERENCE)
            self.name, self._run = REFERENCE, PLAIN[0].prepare(self._subject)
            return self(inputs)
