"""Makes one release of a table by another tool, from the cells that a policy of ours states.

    pip install smartnoise-synth==1.0.8              # mst, aim
    pip install . in a checkout of google/dpsynth    # swift, aimgdp, google-mst, google-aim
    python docs/benchmarks/peers.py swift DATA/adult_train.csv policies/adult.toml 1 adult.csv

Columns are handed over as codes of the policy's cells and categories, for nothing and without
rules; a number is drawn evenly within its cell. Columns named by --open go to Google's dpsynth
as categories that it has to learn, and with --own-cells it cuts the numbers by itself. A float is
written with one decimal, or none with --whole. A tool that takes more processor time than --cpu
seconds (ten minutes of two cores) is ended.
"""

import argparse
import concurrent.futures
import functools
import resource
import time
import tomllib

import numpy as np
import pandas as pd

DELTA = 1e-6
SMARTNOISE = ("mst", "aim")
GOOGLE = {
    "swift": "SWIFTConfig",
    "aimgdp": "AIMGDPConfig",
    "google-mst": "MSTConfig",
    "google-aim": "AIMConfig",
}


def cell_starts(column):
    """Where the cells of a number begin, and last where they end."""
    low, high, cells = column["min"], column["max"], column["cells"]
    end = high + 10.0 ** -column.get("decimals", 0)
    if cells == "each":
        return np.arange(low, high + 2)
    if "linear" in cells:
        return np.linspace(low, end, cells["linear"] + 1)
    if "log" in cells:
        return np.array([low, *np.geomspace(max(low, 1), end, cells["log"])])
    return np.array([*sorted({low, *cells["edges"]}), end])


class Coded:
    """A table as the codes of its cells; the last code of a column stands for missing values."""

    def __init__(self, data, policy, open_columns, own_cells=False):
        with open(policy, "rb") as file:
            policy = tomllib.load(file)
        tokens = [*policy["dataset"].get("missing_tokens", []), ""]
        real = pd.read_csv(data, dtype=str, keep_default_na=False, na_values=tokens)
        self.columns = [column for column in policy["column"] if column["kind"] != "ignore"]
        self.missing, self.rows, self.open = tokens[0], len(real), open_columns
        self.sizes, self.uncut, codes = {}, {}, {}
        for column in self.columns:
            name = column["name"]
            if name in open_columns:
                codes[name] = real[name].to_numpy()
                continue
            if own_cells and column["kind"] != "categorical":
                assert not column.get("missing", False), f"{name} may be missing"
                self.uncut[name] = column
                codes[name] = pd.to_numeric(real[name]).clip(column["min"], column["max"])
                continue
            code, cells = self.encode(column, real[name])
            may_miss = column.get("missing", False)
            assert may_miss or code.notna().all(), f"{name} has cells outside its domain"
            self.sizes[name] = cells + may_miss
            codes[name] = code.fillna(cells).astype(int).to_numpy()
        self.codes = pd.DataFrame(codes)

    @staticmethod
    def encode(column, values):
        if column["kind"] == "categorical":
            known = {category: code for code, category in enumerate(column["categories"])}
            return values.map(known), len(known)
        starts = cell_starts(column)
        numbers = pd.to_numeric(values).clip(column["min"], column["max"])
        code = np.searchsorted(starts, numbers.to_numpy(), side="right") - 1
        return pd.Series(code).clip(0, len(starts) - 2).where(numbers.notna()), len(starts) - 1

    def decode(self, codes, decimals, rng):
        """Rows of values, drawn evenly over the values of their cells."""
        table = {}
        for column in self.columns:
            name = column["name"]
            if name in self.open or name in self.uncut:
                table[name] = codes[name].astype(str).to_numpy()
                continue
            code = codes[name].astype(int).to_numpy()
            if column["kind"] == "categorical":
                table[name] = np.array([*column["categories"], self.missing], dtype=object)[code]
                continue
            places = decimals if column["kind"] == "float" else 0
            steps_in_one = 10**places
            starts = np.ceil(np.round(cell_starts(column) * steps_in_one, 6)).astype(int)
            present = code < len(starts) - 1
            cell = np.where(present, code, 0)
            step = rng.integers(starts[cell], np.maximum(starts[cell + 1], starts[cell] + 1))
            step = np.minimum(step, column["max"] * steps_in_one)
            text = [f"{value:.{places}f}" for value in step / steps_in_one]
            table[name] = np.where(present, text, self.missing)
        return pd.DataFrame(table)


def smartnoise(tool, coded, epsilon):
    from snsynth import Synthesizer

    synthesizer = Synthesizer.create(tool, epsilon=epsilon, delta=DELTA)
    # Every column is coded already, so nothing has to be paid for bounds.
    columns = list(coded.codes.columns)
    synthesizer.fit(coded.codes, categorical_columns=columns, preprocessor_eps=0.0)
    return synthesizer.sample(coded.rows)


def google(tool, coded, epsilon, seed, settings):
    import dp_accounting
    from dp_accounting.mechanism_calibration import LowerEndpointAndGuess

    # Its search would begin at a budget of exactly 0, by which it then divides.
    dp_accounting.calibrate_dp_mechanism = functools.partial(
        dp_accounting.calibrate_dp_mechanism, bracket_interval=LowerEndpointAndGuess(1e-9, 1.0)
    )
    import dpsynth
    import mbi

    # Reports of progress, which would go nowhere here, are compiled anew for each run, and so is
    # its first way of drawing rows; the second gives rows that score the same (German credit).
    mbi.callbacks.default = lambda *_, **__: lambda _: None
    mbi.extensions.synthetic_data = lambda model, rows: model.synthetic_data(rows)
    mbi.extensions.precompile = lambda *_: concurrent.futures.ThreadPoolExecutor().submit(int)
    config = getattr(dpsynth.discrete_mechanisms, GOOGLE[tool])(**settings)

    def domain(name):
        if name in coded.open:
            return dpsynth.OpenSetCategoricalAttribute()
        if name in coded.uncut:
            column = coded.uncut[name]
            kind = "int" if column["kind"] == "integer" else "float"
            return dpsynth.NumericalAttribute(
                column["min"], column["max"], dtype=kind, interval_handling="sample"
            )
        return dpsynth.CategoricalAttribute(possible_values=list(range(coded.sizes[name])))

    domains = {name: domain(name) for name in coded.codes.columns}
    recipe = dpsynth.TabularConfig(domains=domains, discrete_mechanism=config)
    mechanism = recipe.calibrate(epsilon=epsilon, delta=DELTA)
    return mechanism(np.random.default_rng(seed), coded.codes).synthetic_data


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tool", choices=[*SMARTNOISE, *GOOGLE])
    parser.add_argument("data")
    parser.add_argument("policy")
    parser.add_argument("epsilon", type=float)
    parser.add_argument("out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--iterations", type=int, help="steps of the fit, for Google's dpsynth")
    parser.add_argument("--clique-size", type=float, metavar="CELLS", help="the most, for swift")
    parser.add_argument("--open", action="append", default=[], metavar="COLUMN")
    parser.add_argument("--own-cells", action="store_true", help="for Google's dpsynth")
    parser.add_argument("--whole", action="store_true", help="write floats without decimals")
    parser.add_argument("--cpu", type=int, default=1200, metavar="SECONDS")
    given = parser.parse_args()

    resource.setrlimit(resource.RLIMIT_CPU, (given.cpu, given.cpu))
    np.random.seed(given.seed)
    coded = Coded(given.data, given.policy, given.open, given.own_cells)
    start = time.process_time()
    if given.tool in SMARTNOISE:
        codes = smartnoise(given.tool, coded, given.epsilon)
    else:
        settings = {"pgm_iters": given.iterations, "max_clique_size": given.clique_size}
        settings = {name: value for name, value in settings.items() if value}
        codes = google(given.tool, coded, given.epsilon, given.seed, settings)
    seconds = time.process_time() - start
    rng = np.random.default_rng(given.seed)
    coded.decode(codes, 0 if given.whole else 1, rng).to_csv(given.out, index=False)
    print(f"{given.tool} epsilon {given.epsilon:g}: {seconds:.0f} s of processor time")


if __name__ == "__main__":
    main()
