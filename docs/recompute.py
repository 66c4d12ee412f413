"""Prices a release again with Google's accountant, from its report.json alone.

    pip install dp-accounting==0.6.0
    python docs/recompute.py release/report.json

Prints both figures, also for groups of rows. Exits with 1 where the report states less than Google's
*lower* bound, and with 2 where it cannot be priced.
"""

import json
import math
import sys

from dp_accounting.pld import common, privacy_loss_distribution as pld

INTERVAL = 1e-4


def distribution(event, pessimistic, rows=1):
    """Returns the privacy loss distribution of an event of ours, for so many rows together."""
    kind = event["type"]
    # The losses of a group are larger by its size and more, and so is what they are rounded to.
    options = {
        "value_discretization_interval": INTERVAL if rows == 1 else 3 * INTERVAL * rows,
        "pessimistic_estimate": pessimistic,
    }
    if kind == "ComposedDpEvent":
        parts = [distribution(part, pessimistic, rows) for part in event["events"]]
        parts = [part for part in parts if part is not None]
        whole = parts[0] if parts else None
        for part in parts[1:]:
            whole = whole.compose(part)
        return whole
    if kind == "SelfComposedDpEvent":
        one = distribution(event["event"], pessimistic, rows)
        return None if one is None else one.self_compose(event["count"])
    if kind == "GaussianDpEvent":
        return pld.from_gaussian_mechanism(event["noise_multiplier"] / rows, **options)
    if kind == "LaplaceDpEvent":
        return pld.from_laplace_mechanism(event["noise_multiplier"] / rows, **options)
    if kind == "PoissonSampledDpEvent" and event["event"]["type"] == "GaussianDpEvent":
        noise, rate = event["event"]["noise_multiplier"], event["sampling_probability"]
        if rows == 1:
            return pld.from_gaussian_mechanism(noise, sampling_prob=rate, **options)
        # How many of the rows a sample holds is binomial: Ganesh (2024), arXiv 2401.10294.
        weights = [
            math.comb(rows, taken) * rate**taken * (1 - rate) ** (rows - taken)
            for taken in range(rows + 1)
        ]
        return pld.from_mixture_gaussian_mechanism(noise, list(range(rows + 1)), weights, **options)
    if kind == "EpsilonDeltaDpEvent":
        epsilon, delta = event["epsilon"], event["delta"]
        delta *= sum(math.exp(others * epsilon) for others in range(rows))
        parameters = common.DifferentialPrivacyParameters(rows * epsilon, delta)
        return pld.from_privacy_parameters(
            parameters, value_discretization_interval=options["value_discretization_interval"]
        )
    raise ValueError(f"no distribution is known for {kind}")


def row_event(mechanism, max_rows):
    """Returns what a mechanism shows of one row of a person, as an event; docs/claim.md says why."""
    kind, noise = mechanism["mechanism"], mechanism.get("noise_multiplier")
    if kind == "unit_count":
        return {"type": "GaussianDpEvent", "noise_multiplier": noise}
    if kind in ("marginals", "chosen_marginals"):
        # One row goes and one comes, where the noise is for all rows of the person.
        one = {"type": "GaussianDpEvent", "noise_multiplier": noise * max_rows / math.sqrt(2)}
        return {"type": "SelfComposedDpEvent", "event": one, "count": len(mechanism.get("column_sets", [0]))}
    return None


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        report = json.load(file)
    privacy = report["privacy"]
    if report.get("not_private") or privacy["epsilon_spent"] is None:
        print("the report says itself that nothing protects")
        return 2
    if privacy["adjacency"] != "add_or_remove_one":
        print("Google's accountant prices adding or removing one unit; the report states replacing one")
        return 2
    whole = {"type": "ComposedDpEvent", "events": [it["event"] for it in report["mechanisms"]]}
    stated = [("the unit", whole, 1, privacy["epsilon_spent"])]
    for other in privacy["readings"]["other_units"]:
        whose, epsilon = other["whose"], other["price"].get("epsilon")
        by_row = None
        if whose == "row_of_unit":
            max_rows = privacy["unit"]["user"]["max_rows"]
            by_row = [row_event(it["mechanism"], max_rows) for it in report["mechanisms"]]
        if epsilon is not None and isinstance(whose, dict):
            rows = whose["rows_together"]
            stated.append((f"{rows} rows together", whole, rows, epsilon))
        elif epsilon is not None and whose == "unit":
            stated.append(("all rows of a person", whole, 1, epsilon))
        elif epsilon is not None and by_row and all(by_row):
            stated.append(("one row of a person", {"type": "ComposedDpEvent", "events": by_row}, 1, epsilon))
        else:
            print(f"not priced here: {json.dumps(other)}")
    print(f"at delta {privacy['delta']:g}")
    agree = True
    for whose, event, rows, epsilon in stated:
        upper = distribution(event, True, rows).get_epsilon_for_delta(privacy["delta"])
        lower = distribution(event, False, rows).get_epsilon_for_delta(privacy["delta"])
        print(f"{whose}: stated epsilon {epsilon:.6f}, Google {lower:.6f} (optimistic) to {upper:.6f} (pessimistic)")
        if epsilon < lower:
            print("the report states less than Google's lower bound")
            agree = False
    if agree:
        print("the two agree")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
