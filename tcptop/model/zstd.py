"""The module of zstd, which is in the standard library since 3.14 (PEP 784)."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd as zstd
else:
    from backports import zstd as zstd
