"""Whether two questions may be given one answer: vectors of texts, the nearest of many, and what must agree."""

import os

PACKAGE = "numpy"
"""What vectors are reckoned with (`pip install headgate[semantic]`); imported by no module that need not."""

# numpy's BLAS reads this when it is loaded. Its second thread would take a processor from requests, and spare little:
# of a text of up to forty tokens nothing, as its products are too small to be shared out.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
