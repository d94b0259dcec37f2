"""Real sockets in trouble, inside private network namespaces."""
