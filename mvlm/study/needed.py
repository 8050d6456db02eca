"""What each notebook needs computed before it opens: a notebook that reports only reads.

The runner calls an entry in its own process, so that bars of progress reach the terminal. Every entry is a call that
the notebook makes itself: opened alone it computes what is missing, and nothing that it writes hangs on this table.
"""

from __future__ import annotations

from collections.abc import Callable

from mvlm.settings import Settings
from mvlm.study.items.dials import turned
from mvlm.study.items.fig4_fig5 import read_record
from mvlm.study.items.fig7 import attention
from mvlm.study.items.film_heat import film_heat
from mvlm.study.items.film_moments import film_moments
from mvlm.study.items.films import film_records
from mvlm.study.items.identity import study
from mvlm.study.items.identity_lesson import shown_people
from mvlm.study.items.identity_stress import stress
from mvlm.study.items.micro import micro_expressions
from mvlm.study.items.readings_compared import reading_records
from mvlm.study.items.seen_or_not import both_faces
from mvlm.study.items.summary import study_records
from mvlm.study.items.summary_inspections import inspected
from mvlm.study.items.tables import table_records
from mvlm.study.items.transfer import transfer
from mvlm.study.methods import LADDER
from mvlm.study.runs import run

# Errors are those of the functions: `mvlm.study.plan.AbsentError` where there is nothing to report.
NEEDED: dict[str, Callable[[Settings], object]] = {
    "05-readings": reading_records,
    "08-dials": turned,
    "09-identity": lambda settings: (shown_people(settings), study(settings), stress(settings)),
    "10-table1": lambda settings: table_records("table1", settings),
    "11-table2": lambda settings: table_records("table2", settings),
    "12-table3": lambda settings: table_records("table3", settings),
    "13-summary": lambda settings: (study_records(settings), inspected(settings=settings)),
    "14-transfer": transfer,
    "15-distance": both_faces,
    "17-films": lambda settings: (film_records(settings), film_moments(settings), film_heat(settings)),
    "19-micro-expressions": micro_expressions,
    "20-fig3-fig6": lambda settings: run(methods=LADDER, settings=settings),
    "21-fig4-fig5": read_record,  # measured by `make timings`
    "22-fig7": attention,
}
