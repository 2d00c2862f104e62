"""Programs that do the same thing in turn, and what came of it."""

import dataclasses
import shutil
import statistics

# Seconds that every program gets.
SHORTEST = 8


@dataclasses.dataclass
class Entrant:
    """One program with its settings: what it runs, and where the result appears."""

    name: str
    command: list
    # Makes room for the result, outside the measured time, and says where it will be.
    place: object
    # Whether it is one of ours, and whether it counts when the best of the others is looked for.
    ours: bool = False
    counts: bool = True
    rates: list = dataclasses.field(default_factory=list)
    peak_mib: float = 0
    cpu: list = dataclasses.field(default_factory=list)
    stopped: bool = False
    problem: str | None = None
    compared: bool = False

    @property
    def rate(self):
        return statistics.median(self.rates) if self.rates else None


@dataclasses.dataclass
class Contest:
    """Entrants who move the same `tree` to or from the same server."""

    server: object
    direction: str
    entrants: list
    tree: object
    # "files" or "MiB": what is counted per second.
    unit: str
    # What sets it apart from others of the same scenario, if anything.
    group: str = ""
    # What part of the best rate a program must reach to be measured in the later rounds too.
    near: float = 0
    # How many times as long as the fastest so far a program may take before it is stopped; 0: any time.
    patience: float = 0

    @property
    def ours(self):
        return next((entrant for entrant in self.entrants if entrant.ours), None)

    @property
    def best(self):
        rates = [entrant.rate for entrant in self.entrants if not entrant.ours and entrant.counts and entrant.rate]
        return max(rates, default=None)

    @property
    def ratio(self):
        return self.ours.rate / self.best if self.ours and self.ours.rate and self.best else None

    def run(self, bench, rounds, limit):
        """Every program once in the first round, those near the best in the others; each round begins with the next one."""
        for turn in range(rounds):
            running = [entrant for entrant in self.entrants if self._runs(entrant, turn)]
            for index in range(len(running)):
                self._once(bench, running[(index + turn) % len(running)], self._limit(limit))

    def _limit(self, limit):
        fastest = max((rate for entrant in self.entrants for rate in entrant.rates), default=0)
        if not self.patience or not fastest:
            return limit
        patient = max(SHORTEST, self.patience * self.tree.files / fastest)
        return min(limit, patient) if limit else patient

    def _runs(self, entrant, turn):
        if turn == 0 or entrant.ours:
            return True
        # Who failed may try once more; who needs too long or fails again may not.
        if entrant.rate is None:
            return turn == 1 and not entrant.stopped
        return entrant.rate >= self.near * (self.best or 0)

    def _once(self, bench, entrant, limit):
        try:
            place = entrant.place()
            took = bench.run(entrant.command, self.server.password, limit, self.server.inside)
            entrant.peak_mib = max(entrant.peak_mib, took.peak_mib)
            moved, problem = self._result(entrant, took, place)
            shutil.rmtree(place, ignore_errors=True)
        except OSError as error:
            moved, problem = 0, str(error)
        if problem:
            entrant.problem = problem
            return
        amount = moved if self.unit == "files" else moved * self.tree.size / (1 << 20)
        entrant.rates.append(amount / took.seconds)
        entrant.cpu.append(took.cpu / moved)

    def _result(self, entrant, took, place):
        """How many files a run has moved, and what is wrong with that."""
        if took.stopped:
            entrant.stopped = True
            # A file of the right length may still be full of holes, so one alone says nothing.
            moved = len(self.tree.arrived(place)[1]) if self.tree.files > 1 else 0
            return moved, None if moved else f"nothing complete after {took.seconds:.0f} s"
        # Every result is counted, and one of each program read.
        problem = took.problem or self.tree.wrong(place, compare=not entrant.compared)
        entrant.compared = True
        return self.tree.files, problem

    def record(self):
        """Everything, for a file that programs read."""
        return {
            "server": self.server.kind,
            "tls": self.server.tls,
            "direction": self.direction,
            "group": self.group,
            "unit": f"{self.unit}/s",
            "ratio": self.ratio,
            "programs": {
                entrant.name: {
                    "rates": entrant.rates,
                    "peak_mib": entrant.peak_mib,
                    "cpu_seconds_per_file": statistics.median(entrant.cpu) if entrant.cpu else None,
                    "stopped": entrant.stopped,
                    "problem": entrant.problem,
                }
                for entrant in self.entrants
            },
        }
