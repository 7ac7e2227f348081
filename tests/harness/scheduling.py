"""Which tests one of several processes runs, as they share what takes long to make."""

from xdist.scheduler import LoadScopeScheduling


class ByPlace(LoadScopeScheduling):
    """A file's tests stay together, and so do all tests of the flows: they share servers and nights."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "tests/flows" if file.startswith("tests/flows/") else file
