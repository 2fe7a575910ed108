"""What every section of the configuration has in common."""

from __future__ import annotations

import pydantic


class Section(pydantic.BaseModel):
    """A mapping of the configuration file; a key it does not know is an error."""

    model_config = pydantic.ConfigDict(extra="forbid", hide_input_in_errors=True, validate_by_name=True)
