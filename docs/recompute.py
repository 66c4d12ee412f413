"""Prices a release again with Google's accountant, from its report.json alone.

    pip install dp-accounting==0.6.0
    python docs/recompute.py release/report.json

Prints both figures. Exits with 1 where the report states less than Google's *lower* bound, and
with 2 where it cannot be priced.
"""

import json
import sys

from dp_accounting.pld import common, privacy_loss_distribution as pld

INTERVAL = 1e-4


def distribution(event, pessimistic):
    """Returns the privacy loss distribution of an event of ours."""
    kind = event["type"]
    options = {
        "value_discretization_interval": INTERVAL,
        "pessimistic_estimate": pessimistic,
    }
    if kind == "ComposedDpEvent":
        parts = [distribution(part, pessimistic) for part in event["events"]]
        parts = [part for part in parts if part is not None]
        whole = parts[0] if parts else None
        for part in parts[1:]:
            whole = whole.compose(part)
        return whole
    if kind == "SelfComposedDpEvent":
        one = distribution(event["event"], pessimistic)
        return None if one is None else one.self_compose(event["count"])
    if kind == "GaussianDpEvent":
        return pld.from_gaussian_mechanism(event["noise_multiplier"], **options)
    if kind == "LaplaceDpEvent":
        return pld.from_laplace_mechanism(event["noise_multiplier"], **options)
    if kind == "PoissonSampledDpEvent" and event["event"]["type"] == "GaussianDpEvent":
        return pld.from_gaussian_mechanism(
            event["event"]["noise_multiplier"],
            sampling_prob=event["sampling_probability"],
            **options,
        )
    if kind == "EpsilonDeltaDpEvent":
        parameters = common.DifferentialPrivacyParameters(event["epsilon"], event["delta"])
        return pld.from_privacy_parameters(parameters, value_discretization_interval=INTERVAL)
    raise ValueError(f"no distribution is known for {kind}")


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
    upper = distribution(whole, True).get_epsilon_for_delta(privacy["delta"])
    lower = distribution(whole, False).get_epsilon_for_delta(privacy["delta"])
    stated = privacy["epsilon_spent"]
    print(f"stated  epsilon {stated:.6f} at delta {privacy['delta']:g}")
    print(f"Google  epsilon {lower:.6f} (optimistic) to {upper:.6f} (pessimistic)")
    if stated < lower:
        print("the report states less than Google's lower bound")
        return 1
    print("the two agree")
    return 0


if __name__ == "__main__":
    sys.exit(main())
