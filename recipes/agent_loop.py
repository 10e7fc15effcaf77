"""verl's single-turn agent loop, with the image placeholder tokens barred from the policy's own text."""

from typing import Any

from verl.experimental.agent_loop.agent_loop import AgentLoopOutput
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from .placeholders import placeholder_bias


class SingleTurn(SingleTurnAgentLoop):  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._bias = placeholder_bias(self.tokenizer)

    async def run(self, sampling_params: dict[str, Any], priority: int = 0, **kwargs: Any) -> AgentLoopOutput:
        return await super().run({**sampling_params, "logit_bias": self._bias}, priority, **kwargs)
