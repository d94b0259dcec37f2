"""The namespaces of the kernel's tests, for the live view; looks that find what a test says."""

from tests.kernel.conftest import namespace, zoo
from tests.tui.telling import told

__all__ = ["namespace", "told", "zoo"]
