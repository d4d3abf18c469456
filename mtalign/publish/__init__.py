"""Publishing: records -> typed rows -> Parquet files and a card, in one folder that `datasets` loads."""

from mtalign.publish.write import Published, publish

__all__ = ["Published", "publish"]
