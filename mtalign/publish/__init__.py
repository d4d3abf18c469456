"""Publishing: records -> typed rows -> Parquet files and a card, in one folder that `datasets` loads."""

from mtalign.publish.card import ModelUse
from mtalign.publish.filters import Filters
from mtalign.publish.write import Published, publish

__all__ = ["Filters", "ModelUse", "Published", "publish"]
