"""The data file of the average face: what the head makes of it today, and all that views need of the head."""

import subprocess
import sys

import numpy as np

from mvlm.cache.keys import reached
from mvlm.faces.average import FILE
from mvlm.twins.head.average import average_face

WITHOUT_LANDMARKS = """
import sys
import numpy as np
from mvlm.faces.mesh import Mesh
from mvlm.faces.pose import find_pose
from mvlm.faces.views import project

side = np.linspace(-70.0, 70.0, 60)
x, y = (grid.ravel() for grid in np.meshgrid(side, side))
corner = (np.arange(59) + 60 * np.arange(59)[:, None]).ravel()
triangles = np.concatenate([np.stack([corner, corner + 1, corner + 60], 1),
                            np.stack([corner + 1, corner + 61, corner + 60], 1)])
mesh = Mesh(np.stack([x, y, -(x**2 + y**2) / 100], 1), triangles)
find_pose(mesh)
assert project(mesh).any()
from mvlm.faces.average import average
assert average.cache_info().currsize == 1
print(*[name for name in sys.modules if name.startswith("mvlm.twins")])
"""


def test_the_file_is_what_the_head_makes():
    made = average_face()
    with np.load(FILE) as kept:
        assert set(kept.files) == set(made)
        np.testing.assert_array_equal(kept["names"], made["names"])
        for name in set(made) - {"names"}:
            np.testing.assert_allclose(kept[name], made[name], rtol=0, atol=1e-9)


def test_views_of_a_face_without_landmarks_need_the_file_and_not_the_head():
    assert not [place for place in reached("mvlm.faces.views:project") if place.module.startswith("mvlm.twins")]
    run = subprocess.run([sys.executable, "-c", WITHOUT_LANDMARKS], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout.strip()) == (0, ""), run.stderr
