"""Wire formats that our clients speak. A new one is a file here and a line in the tuple below."""

from __future__ import annotations

from gateway.dialects.bigmodel import BigModelDialect
from gateway.dialects.contract import Dialect
from gateway.dialects.geekai import GeekAIDialect
from gateway.dialects.new_api import NewApiDialect
from gateway.dialects.openai import OpenAIDialect
from gateway.dialects.unified import UnifiedDialect

BIGMODEL = BigModelDialect()
GEEKAI = GeekAIDialect()
OPENAI = OpenAIDialect()
UNIFIED = UnifiedDialect(BIGMODEL, GEEKAI)

DIALECTS: tuple[Dialect, ...] = (
    UNIFIED,
    BIGMODEL,
    GEEKAI,
    OPENAI,
    NewApiDialect(OPENAI),
)
