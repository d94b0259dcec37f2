"""The namespaces of the kernel's tests, for the live view."""

from tests.kernel.conftest import namespace, zoo

__all__ = ["namespace", "zoo"]
