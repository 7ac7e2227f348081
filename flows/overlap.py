"""What becomes of a night that is not alone. Apart from the rest, as the command line looks at it before anything."""


class Skipped(Exception):  # noqa: N818 -- it is no error
    """A night did not run because another one makes the same model; the command line exits with 0."""


class Replaced(Exception):  # noqa: N818 -- it is no error
    """A night was asked to make way for another one, and did; the command line exits as one that was interrupted."""


class LeaseLost(Exception):  # noqa: N818 -- nobody did anything wrong
    """A night gave no sign of life for so long that it was taken for dead, so that it must not write any more."""
