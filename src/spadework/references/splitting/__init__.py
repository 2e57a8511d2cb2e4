"""Splitting a text that does not fit a model into parts that do, at natural borders.

`split` is the way in; a `Part` is what comes of it.
"""

from spadework.references.splitting.splitter import Part, split

__all__ = ["Part", "split"]
