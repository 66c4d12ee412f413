"""Times the same prices with this repository's accountant and Google's, and compares them.

    cargo build -p dpsynth-privacy --example accountant
    pip install dp-accounting==0.6.0
    python docs/benchmarks/accountant.py target/debug/examples/accountant

Both sides run in this process's turn, one after the other on one core. Google's accountant uses
its default resolution; under "below" it is marked where its upper bound is below the reference.
"""

import json
import statistics
import subprocess
import sys
import time

from dp_accounting import dp_event
from dp_accounting.pld import pld_privacy_accountant


def theirs(case):
    start = time.process_time()
    accountant = pld_privacy_accountant.PLDAccountant()
    step = dp_event.PoissonSampledDpEvent(case["q"], dp_event.GaussianDpEvent(case["sigma"]))
    accountant.compose(dp_event.SelfComposedDpEvent(step, case["steps"]))
    epsilon = accountant.get_epsilon(case["delta"])
    return epsilon, time.process_time() - start


def main():
    lines = subprocess.run([sys.argv[1], "--json"], capture_output=True, text=True, check=True).stdout
    print("case  reference      ours (lower .. upper)        s   theirs          s  times  below")
    ratios, totals = [], [0.0, 0.0]
    for line in lines.splitlines():
        if not line.startswith("{"):
            print(line)
            continue
        case = json.loads(line)
        epsilon, seconds = theirs(case)
        ours = max(case["seconds"], 1e-4)
        ratios.append(seconds / ours)
        totals[0] += ours
        totals[1] += seconds
        below = "below" if epsilon < case["reference"] - 1e-6 else ""
        print(
            f"{case['case']:>4} {case['reference']:>11.6f} {case['lower']:>11.6f} .. {case['upper']:>11.6f}"
            f" {ours:>8.4f} {epsilon:>11.6f} {seconds:>8.3f} {seconds / ours:>6.0f}  {below}"
        )
    print(
        f"times faster: median {statistics.median(ratios):.0f}, least {min(ratios):.1f},"
        f" all cases together {totals[1] / totals[0]:.1f}"
    )


if __name__ == "__main__":
    main()
